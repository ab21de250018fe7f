import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { createTestHub, type TestHub } from './support/test-hub.ts';

let service: Server;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let hub: TestHub;
let port: number;

beforeAll(async () => {
  directory = await temporaryDirectory();
  service = createServer().on('upgrade', (request, socket) => {
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    socket.on('error', () => undefined);
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const upstream = {
    name: 'echo',
    prefix: '/api/echo',
    target: `http://127.0.0.1:${(service.address() as AddressInfo).port}`,
    scopes: { read: ['data:read'], write: ['data:write'] },
    allowPrivateAddresses: true,
    websocket: true,
  };
  const path = join(directory.path, 'upstreams.json');
  await writeFile(path, JSON.stringify({ upstreams: [upstream] }));
  hub = await createTestHub(undefined, { HUB_UPSTREAMS_FILE: path });
  port = await hub.listen();
}, 60_000);
afterAll(async () => {
  await hub.close();
  service.close();
  await directory.remove();
});

const open = async (key: string): Promise<{ socket: Socket; received(): string }> => {
  let all = '';
  const socket = connect(port, '127.0.0.1', () =>
    socket.write(
      `GET /api/echo/x HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\nx-api-key: ${key}\r\n\r\n`,
    ),
  );
  socket.on('data', (chunk) => (all += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  await expect.poll(() => all).toContain('\r\n\r\n');
  expect(all).toMatch(/^HTTP\/1\.1 101 /);
  return { socket, received: () => all.slice(all.indexOf('\r\n\r\n') + 4) };
};

const closed1008 = Buffer.from([0x88, 2, 0x03, 0xf0]).toString('latin1');

test.each([
  ['revoked', 'DELETE', undefined],
  ['disabled', 'PATCH', { enabled: false }],
  ['for other addresses', 'PATCH', { allowedIps: ['192.0.2.1'] }],
] as const)('an open WebSocket ends when its key is %s, and no other does', async (_what, method, body) => {
  const companyId = await hub.company();
  const [admin, ended, other] = await Promise.all([hub.key(companyId), hub.key(companyId), hub.key(companyId)]);
  const [first, second, stays] = await Promise.all([open(ended.key), open(ended.key), open(other.key)]);
  const answer = await hub.call(method, `/admin/api-keys/${ended.keyId}`, {
    key: admin.key,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(answer.statusCode, answer.body).toBeLessThan(300);
  await expect.poll(() => [first.socket.closed, second.socket.closed], { timeout: 2_000 }).toEqual([true, true]);
  expect([first.received(), second.received()]).toEqual([closed1008, closed1008]);
  stays.socket.write('still here');
  await expect.poll(() => stays.received()).toBe('still here');
  stays.socket.destroy();
});
