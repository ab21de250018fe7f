import { connect } from 'node:net';

/** Forgets everything in a Redis, as a failover to an empty replica would; its connections stay. */
export const flushRedis = (url: string): Promise<void> => {
  const { hostname, port, password } = new URL(url);
  return new Promise<void>((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let answer = '';
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (answer.split('\r\n').length < 3) return;
      socket.destroy();
      if (answer === '+OK\r\n+OK\r\n') resolve();
      else reject(new Error(`Redis answered ${JSON.stringify(answer)}`));
    });
    socket.write(`AUTH ${decodeURIComponent(password)}\r\nFLUSHALL\r\n`);
  });
};
