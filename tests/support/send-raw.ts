import { connect } from 'node:net';
import type { TestHub } from './test-hub.ts';

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

export const host = 'Host: hub.test';
export const json = 'Content-Type: application/json';

/** Has the hub listen. @returns what sends one request over a connection of its own, closed after the answer */
export const rawSenderTo = async (hub: TestHub) => {
  const port = await hub.listen();
  return (line: string, headers: readonly string[], body = ''): Promise<RawAnswer> =>
    sendRaw(port, [line, 'Connection: close', ...headers, '', body].join('\r\n'));
};
