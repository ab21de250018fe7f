import { connect } from 'node:net';
import { loopbackHost } from '../loopback-port.ts';

const answerTimeoutMs = 1_000;

/** Whether the server on this port accepts the password and has finished loading. Never rejects. */
export const redisAnswers = (port: number, password: string): Promise<boolean> => {
  return new Promise((resolve) => {
    const socket = connect({ host: loopbackHost, port, timeout: answerTimeoutMs });
    let received = '';
    const finish = (answers: boolean) => {
      resolve(answers);
      socket.destroy();
    };
    socket.setEncoding('latin1');
    socket.once('connect', () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    socket.on('data', (text: string) => {
      received += text;
      if (received.split('\r\n').length > 2) finish(received === '+OK\r\n+PONG\r\n');
    });
    socket.once('timeout', () => finish(false));
    socket.once('error', () => finish(false));
    socket.once('close', () => finish(false));
  });
};
