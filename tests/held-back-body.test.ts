import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestHub, type TestHub } from './support/test-hub.ts';

let hub: TestHub;
let port: number;
beforeAll(async () => {
  hub = await createTestHub();
  port = await hub.listen();
});
afterAll(() => hub.close());

const wanted = JSON.stringify({ name: 'Afterlife', environment: 'live', scopes: ['data:read'] });

/** Sends the head and half of the body; `finish` sends the rest and returns the status. */
const begin = async (credentials: string) => {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(
    `POST /admin/api-keys HTTP/1.1\r\nHost: hub.test\r\nContent-Type: application/json\r\n${credentials}\r\n` +
      `Content-Length: ${wanted.length}\r\n\r\n${wanted.slice(0, 10)}`,
  );
  await pause(100);
  return async (): Promise<string> => {
    const answered = once(socket, 'data');
    socket.write(wanted.slice(10));
    const [answer] = (await answered) as [Buffer];
    socket.destroy();
    return answer.toString('latin1', 9, 12);
  };
};

test('a request whose body was held back until its key had been revoked changes nothing', async () => {
  const companyId = await hub.company();
  const [admin, lost] = [await hub.key(companyId), await hub.key(companyId)];
  const finish = await begin(`X-API-Key: ${lost.key}`);
  const revoked = await hub.call('DELETE', `/admin/api-keys/${lost.keyId}`, { key: admin.key });
  expect(revoked.statusCode).toBe(200);
  expect(await finish()).toBe('401');
  const { data } = (await hub.call('GET', '/admin/api-keys', { key: admin.key })).json<{ data: { name: string }[] }>();
  expect(data.map(({ name }) => name)).not.toContain('Afterlife');
  expect(await (await begin(`X-API-Key: ${admin.key}`))()).toBe('201');
});

test('nor does one whose person has signed out meanwhile', async () => {
  const { email } = await hub.person(await hub.company());
  const { cookie } = await hub.signIn(email);
  const finish = await begin(`Cookie: ${cookie}\r\nOrigin: http://hub.test`);
  const headers = { cookie, origin: 'http://hub.test' };
  expect((await hub.call('POST', '/api/v1/auth/sign-out', { headers })).statusCode).toBe(204);
  expect(await finish()).toBe('401');
});
