import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { coreProblems, newId, type PersonPrincipal } from '@impact-hub/core';
import { decodeJwt } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { createStage, sendRaw } from './test-upstream.ts';

const { behindHub, hubTo, strike } = createStage();
afterEach(strike);

const acceptOf = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/** A service that sends every byte back after a correct handshake. */
const behindHubWithEcho = async (
  settings: Record<string, unknown> = { websocket: true },
  options: Parameters<typeof behindHub>[2] = {},
) => {
  const opened: { request: IncomingMessage; socket: Duplex }[] = [];
  const hub = await behindHub((_request, response) => response.end('plain'), settings, options);
  hub.service.server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    opened.push({ request, socket });
    socket.on('error', () => undefined);
    const accept = acceptOf(request.headers['sec-websocket-key'] ?? '');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.pipe(socket);
  });
  return { ...hub, opened };
};

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const opening = (scopes: string, more = ''): string =>
  `GET /api/reports/live?x=1 HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ${key}\r\nsec-websocket-version: 13\r\nx-api-key: ${scopes}\r\n${more}\r\n`;

const open = async (port: number, text: string): Promise<{ socket: Socket; received(): string }> => {
  let all = '';
  const socket = connect(port, '127.0.0.1', () => socket.write(text));
  socket.on('data', (chunk) => (all += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  await expect.poll(() => all).toContain('\r\n\r\n');
  return { socket, received: () => all };
};

describe('a WebSocket', () => {
  it('is passed through both ways, with the caller’s identity', async () => {
    const hub = await behindHubWithEcho();
    // The first bytes may come with the opening.
    const { socket, received } = await open(hub.port, `${opening('reports:read reports:write')}early `);
    expect(received()).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(received().toLowerCase()).toContain(`sec-websocket-accept: ${acceptOf(key)}`.toLowerCase());
    socket.write('hello');
    await expect.poll(() => received()).toMatch(/\r\n\r\nearly hello$/);
    expect(hub.serving.requestsInFlight).toBe(1);
    const { headers, url } = hub.opened[0]!.request;
    expect([url, headers['x-api-key']]).toEqual(['/live?x=1', undefined]);
    expect(decodeJwt(String(headers['x-hub-identity']))).toMatchObject({ aud: 'reports', kind: 'api_key' });
    socket.destroy();
    await expect.poll(() => hub.opened[0]!.socket.destroyed).toBe(true);
    expect(await hub.metrics.metrics()).toContain('upstream_requests_in_flight{upstream="reports"} 0');
    await expect.poll(() => hub.serving.requestsInFlight).toBe(0);
  });

  it('ends when the service ends it, and with the hub', async () => {
    const hub = await behindHubWithEcho();
    const first = await open(hub.port, opening('reports:read reports:write'));
    const second = await open(hub.port, opening('reports:read reports:write'));
    hub.opened[0]!.socket.destroy();
    await expect.poll(() => first.socket.closed).toBe(true);
    await hub.server.close();
    await expect.poll(() => second.socket.closed).toBe(true);
  });

  it.each([
    ['1008 when its key is refused', () => Promise.reject(coreProblems.unauthenticated()), 1008],
    ['1013 when its key cannot be verified', () => Promise.reject(coreProblems.databaseUnavailable()), 1013],
  ])('is closed with %s after a change of it', async (_what, answer, code) => {
    const hub = await behindHubWithEcho();
    const keyId = (hub.caller as { keyId: string }).keyId;
    const { socket, received } = await open(hub.port, opening('reports:read reports:write'));
    hub.changeKey(keyId);
    hub.changeKey('another key', answer);
    socket.write('hello');
    await expect.poll(() => received()).toMatch(/hello$/);
    hub.changeKey(keyId, answer);
    hub.changeKey(keyId, answer);
    await expect.poll(() => socket.closed).toBe(true);
    expect(Buffer.from(received().split('hello')[1]!, 'latin1')).toEqual(
      Buffer.from([0x88, 2, code >> 8, code & 0xff]),
    );
    await expect.poll(() => hub.opened[0]!.socket.destroyed).toBe(true);
    expect(await hub.metrics.metrics()).toContain('upstream_requests_in_flight{upstream="reports"} 0');
  });

  it('is closed with 1008 when its key has expired, which nobody announces', async () => {
    const hub = await behindHubWithEcho(undefined, { checkEveryMs: 20 });
    const { socket, received } = await open(hub.port, opening('reports:read reports:write'));
    hub.answerAccess(() => Promise.reject(coreProblems.unauthenticated()));
    await expect.poll(() => socket.closed).toBe(true);
    expect(Buffer.from(received().split('\r\n\r\n')[1]!, 'latin1')).toEqual(Buffer.from([0x88, 2, 0x03, 0xf0]));
  });

  it('is closed when its key is refused after changes were missed, whichever they were', async () => {
    const hub = await behindHubWithEcho(undefined, { checkEveryMs: 3_600_000 });
    const { socket, received } = await open(hub.port, opening('reports:read reports:write'));
    hub.answerAccess(() => Promise.reject(coreProblems.unauthenticated()));
    hub.missChanges();
    await expect.poll(() => socket.closed).toBe(true);
    expect(Buffer.from(received().split('\r\n\r\n')[1]!, 'latin1')).toEqual(Buffer.from([0x88, 2, 0x03, 0xf0]));
  });

  it('is opened for a person by the hub’s own pages only: browsers send the cookie for anybody’s', async () => {
    const person: PersonPrincipal = {
      kind: 'person',
      personId: newId(),
      email: 'p@example.org',
      sessionId: newId(),
      role: 'company_admin',
      companyId: newId(),
      scopes: new Set(['reports:read', 'reports:write']),
    };
    const hub = await behindHubWithEcho(undefined, { person });
    const from = (origin: string): string => opening('reports:read reports:write', origin);
    for (const origin of ['', 'origin: https://evil.example\r\n', 'origin: null\r\n'])
      expect(await sendRaw(hub.port, from(origin)), origin).toMatch(/^HTTP\/1\.1 403 .*auth\.cross_site_request/s);
    expect(hub.opened).toEqual([]);
    const { socket, received } = await open(hub.port, from('origin: https://hub.test\r\n'));
    expect(received()).toMatch(/^HTTP\/1\.1 101 /);
    socket.destroy();
  });

  it('outlives an outage in which no key can be verified and none has changed', async () => {
    const hub = await behindHubWithEcho(undefined, { checkEveryMs: 20 });
    const { socket, received } = await open(hub.port, opening('reports:read reports:write'));
    let asked = 0;
    hub.answerAccess(() => {
      asked += 1;
      return Promise.reject(coreProblems.databaseUnavailable());
    });
    await expect.poll(() => asked).toBeGreaterThan(2);
    socket.write('hello');
    await expect.poll(() => received()).toMatch(/hello$/);
  });

  it('is closed when its key was refused while the service opened its side', async () => {
    const hub = await behindHub(() => undefined, { websocket: true });
    const keyId = (hub.caller as { keyId: string }).keyId;
    hub.service.server.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
      socket.on('error', () => undefined);
      hub.changeKey(keyId, () => Promise.reject(coreProblems.unauthenticated()));
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    });
    const { socket, received } = await open(hub.port, opening('reports:read reports:write'));
    await expect.poll(() => socket.closed).toBe(true);
    const [, frame = ''] = received().split('\r\n\r\n');
    expect(Buffer.from(frame, 'latin1')).toEqual(Buffer.from([0x88, 2, 0x03, 0xf0]));
  });

  it('is refused like any request: without a key, without the scopes, on a path that leads elsewhere', async () => {
    const hub = await behindHubWithEcho();
    expect(await sendRaw(hub.port, opening(''))).toMatch(/^HTTP\/1\.1 401 .*auth\.unauthenticated/s);
    expect(await sendRaw(hub.port, opening('reports:write'))).toMatch(/^HTTP\/1\.1 403 /);
    const leading = opening('reports:read reports:write').replace('/live', '/../live');
    expect(await sendRaw(hub.port, leading)).toMatch(/^HTTP\/1\.1 400 /);
    expect(hub.opened).toEqual([]);
  });

  it('is refused to a test key, which only reads', async () => {
    const hub = await behindHubWithEcho({ websocket: true }, { environment: 'test' });
    const answer = await sendRaw(hub.port, opening('reports:read reports:write'));
    expect(answer).toMatch(/^HTTP\/1\.1 403 .*auth\.environment_not_allowed/s);
    expect(hub.opened).toEqual([]);
    expect((await hub.ask('/api/reports/x')).status).toBe(200);
  });

  it('that the service refuses gets the service’s own answer, however long', async () => {
    const reason = 'no '.repeat(300_000);
    const hub = await behindHub(
      (_request, response) => response.writeHead(403, { 'content-length': reason.length }).end(reason),
      { websocket: true },
    );
    const answer = await sendRaw(hub.port, opening('reports:read reports:write'));
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer.endsWith(reason)).toBe(true);
  });

  it('is a 502 when the service cannot be reached', async () => {
    const hub = await hubTo('http://127.0.0.1:1', { websocket: true });
    const answer = await sendRaw(hub.port, opening('reports:read reports:write'));
    expect(answer).toMatch(/^HTTP\/1\.1 502 .*upstreams\.unreachable/s);
  });

  it('is an ordinary request where none are passed through', async () => {
    const hub = await behindHubWithEcho({});
    const answer = await open(hub.port, opening('reports:read reports:write'));
    expect(answer.received()).toMatch(/^HTTP\/1\.1 200 OK.*plain/s);
    answer.socket.destroy();
    expect(hub.opened).toEqual([]);
  });
});
