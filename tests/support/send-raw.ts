import { connect } from 'node:net';

export type RawAnswer = { status: number; head: string; text: string; code?: string; pointers: string[] };

/** Sends bytes as they are and reads until the server closes. */
const sendRaw = (port: number, text: string): Promise<RawAnswer> =>
  new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => (received += chunk.toString('latin1')));
    socket.on('error', reject);
    socket.once('close', () => {
      const [head = '', ...rest] = received.split('\r\n\r\n');
      const body = rest.join('\r\n\r\n');
      const problem = /problem\+json/.test(head)
        ? (JSON.parse(body) as { code: string; errors?: { pointer: string }[] })
        : undefined;
      resolve({
        status: Number(head.slice(9, 12)),
        head: head.toLowerCase(),
        text: body,
        ...(problem === undefined ? {} : { code: problem.code }),
        pointers: problem?.errors?.map(({ pointer }) => pointer) ?? [],
      });
    });
  });

/** One request over a connection of its own, which is closed after the answer. */
export const sendRequest = (port: number, line: string, headers: readonly string[], body = ''): Promise<RawAnswer> =>
  sendRaw(port, [line, 'Connection: close', ...headers, '', body].join('\r\n'));
