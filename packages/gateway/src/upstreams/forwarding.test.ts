import { request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { companyId, createStage } from './test-upstream.ts';

const { behindHub, strike } = createStage();
afterEach(strike);

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** Answers with what arrived. */
const mirror: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { method, url, headers, rawHeaders } = request;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ method, url, headers, rawHeaders, body: Buffer.concat(chunks).toString() }));
  });
};

type Mirrored = { method: string; url: string; headers: Record<string, string>; rawHeaders: string[]; body: string };

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const bytesInUse = (): number => {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
};

describe('a request to an upstream', () => {
  it('arrives with its method, path, query, body and headers, for every method', async () => {
    const hub = await behindHub(mirror, {}, { path: '/base/v2/' });
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const body = method === 'GET' || method === 'OPTIONS' ? null : '{ not: json';
      const answer = await hub.ask('/api/reports/a%20b/c?x=1&y=%2F', {
        method,
        body,
        headers: {
          'content-type': 'application/json',
          'idempotency-key': 'k-1',
          accept: 'text/x',
          traceparent,
          tracestate: 'a=b',
        },
      });
      const seen = (await answer.json()) as Mirrored;
      expect(seen).toMatchObject({ method, url: '/base/v2/a%20b/c?x=1&y=%2F', body: body ?? '' });
      expect(seen.headers).toMatchObject({
        'content-type': 'application/json',
        'idempotency-key': 'k-1',
        accept: 'text/x',
        traceparent,
        tracestate: 'a=b',
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': `127.0.0.1:${hub.port}`,
        'x-request-id': answer.headers.get('x-request-id'),
        via: '1.1 impact-hub',
        host: new URL(hub.service.url).host,
      });
    }
    expect((await hub.ask('/api/reports', { method: 'HEAD' })).status).toBe(200);
    expect(((await (await hub.ask('/api/reports')).json()) as Mirrored).url).toBe('/base/v2');
    expect(((await (await hub.ask('/api/reports?x')).json()) as Mirrored).url).toBe('/base/v2?x');
    const long = `/api/reports/${'long/'.repeat(500)}`;
    expect(((await (await hub.ask(long)).json()) as Mirrored).url).toContain('long/'.repeat(500));
  });

  it('keeps the prefix when the operator says so', async () => {
    const hub = await behindHub(mirror, { stripPrefix: false });
    expect(((await (await hub.ask('/api/reports/x')).json()) as Mirrored).url).toBe('/api/reports/x');
  });

  it('is admitted by scope and limited before anything goes out', async () => {
    let seen = 0;
    const limited: string[] = [];
    const hub = await behindHub(
      (_request, response) => {
        seen += 1;
        response.end();
      },
      {},
      {
        edge: {
          limit: (_request, response, _principal, route) => {
            limited.push(`${route.method} ${route.path}`);
            response.header('ratelimit', '"key";r=1;t=1');
          },
        },
      },
    );
    expect((await fetch(`${hub.url}/api/reports/x`)).status).toBe(401);
    const reader = { 'x-api-key': 'reports:read' };
    expect((await hub.ask('/api/reports/x', { method: 'POST', headers: reader })).status).toBe(403);
    expect(seen).toBe(0);
    const answer = await hub.ask('/api/reports/x', { headers: reader });
    expect([answer.status, answer.headers.get('ratelimit')]).toEqual([200, '"key";r=1;t=1']);
    expect(limited).toEqual(['GET /api/reports/*']);
  });

  it('carries the caller’s identity, signed, and never the caller’s credentials', async () => {
    const hub = await behindHub(mirror);
    const { headers, rawHeaders } = await new Promise<Mirrored>((resolve, reject) => {
      const sent = httpRequest(
        `${hub.url}/api/reports/x`,
        {
          headers: {
            ...hub.headers,
            authorization: 'Basic c2VjcmV0',
            'x-hub-identity': 'forged',
            x_hub_identity: 'forged',
            'x-forwarded-for': '8.8.8.8',
            forwarded: 'for=8.8.8.8',
            connection: 'x-hub-identity, x-forwarded-for, x-secret',
            'x-secret': 'one hop only',
            te: 'trailers',
            cookie: 'a=1; hub.session_token=stolen; __Secure-hub.session_token=stolen; b=2',
          },
        },
        (response: IncomingMessage) => {
          let text = '';
          response.on('data', (chunk) => (text += String(chunk)));
          response.on('end', () => resolve(JSON.parse(text) as Mirrored));
        },
      );
      sent.on('error', reject);
      sent.end();
    });
    for (const name of ['x-api-key', 'authorization', 'x_hub_identity', 'forwarded', 'x-secret', 'te'])
      expect(headers[name], name).toBeUndefined();
    expect(headers['cookie']).toBe('a=1; b=2');
    expect(headers['x-forwarded-for']).toBe('127.0.0.1');
    expect(rawHeaders.filter((name) => name.toLowerCase() === 'x-hub-identity')).toHaveLength(1);

    const keys = createRemoteJWKSet(new URL(`${hub.url}/.well-known/jwks.json`));
    const { payload, protectedHeader } = await jwtVerify(headers['x-hub-identity'] ?? '', keys, {
      issuer: 'https://hub.test',
      audience: 'reports',
      algorithms: ['EdDSA'],
    });
    expect(protectedHeader.alg).toBe('EdDSA');
    expect(payload).toMatchObject({
      sub: hub.caller.kind === 'api_key' ? hub.caller.keyId : '',
      kind: 'api_key',
      company: companyId,
      environment: 'live',
      scopes: ['reports:read', 'reports:write'],
    });
    expect(payload.exp! - payload.iat!).toBe(60);
  });

  it('streams 200 MB there and back with little of it in memory', async () => {
    const hub = await behindHub((request, response) => void request.pipe(response), { maxBodyBytes: 1e9 });
    const total = 200 * 1024 * 1024;
    const part = 64 * 1024;
    let sent = 0;
    let received = 0;
    // Garbage that is not yet swept counts, too; so the least of several looks tells what is really held.
    let held = Number.POSITIVE_INFINITY;
    let nextLook = total / 2;
    const before = bytesInUse();
    const source = new Readable({
      read() {
        sent += part;
        this.push(sent <= total ? Buffer.alloc(part, 'x') : null);
      },
    });
    const look = (chunk: Buffer): void => {
      received += chunk.length;
      if (received < nextLook) return;
      nextLook += total / 40;
      held = Math.min(held, bytesInUse() - before);
    };
    await new Promise<void>((resolve, reject) => {
      const options = { method: 'POST', headers: hub.headers };
      const request = httpRequest(`${hub.url}/api/reports/echo`, options, (response) =>
        response.on('data', look).on('end', resolve),
      );
      request.on('error', reject);
      source.pipe(request);
    });
    expect(received).toBe(total);
    expect(held).toBeLessThan(10 * 1024 * 1024);
  });

  it('holds the upstream back while the client does not read', async () => {
    let written = 0;
    const hub = await behindHub((_request, response) => {
      const part = Buffer.alloc(64 * 1024);
      const go = (): void => {
        while (written < 200 * 1024 * 1024) {
          written += part.length;
          if (!response.write(part)) return void response.once('drain', go);
        }
        response.end();
      };
      go();
    });
    const socket = connect(hub.port, '127.0.0.1', () =>
      socket.write(`GET /api/reports/x HTTP/1.1\r\nhost: x\r\nx-api-key: ${hub.headers['x-api-key']}\r\n\r\n`),
    );
    socket.pause();
    let last = -1;
    while (last !== written || written === 0) {
      last = written;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    socket.destroy();
    expect(written).toBeLessThan(50 * 1024 * 1024);
  });
});

describe('an answer of an upstream', () => {
  it('arrives as it is: status, headers, body, cookies of its own', async () => {
    const hub = await behindHub((_request, response) => {
      response.writeHead(418, {
        'content-type': 'text/teapot',
        'cache-control': 'max-age=60',
        // The last two have no name; browsers send back their value as if it were name and value.
        'set-cookie': [
          'mine=1; Path=/',
          'hub.session_token=forged; Path=/',
          '__Secure-hub.x=1',
          '=hub.session_token=forged',
          ' = __Secure-hub.session_token=forged',
        ],
        'x-request-id': 'forged',
        'clear-site-data': '"*"',
        connection: 'x-hop',
        'x-hop': '1',
        'retry-after': '9',
      });
      response.end('short and stout');
    });
    const answer = await hub.ask('/api/reports/x');
    expect([answer.status, await answer.text()]).toEqual([418, 'short and stout']);
    const headers = Object.fromEntries(answer.headers);
    expect(headers).toMatchObject({
      'content-type': 'text/teapot',
      'cache-control': 'max-age=60',
      'retry-after': '9',
      'x-content-type-options': 'nosniff',
    });
    expect(answer.headers.getSetCookie()).toEqual(['mine=1; Path=/']);
    expect(headers['x-request-id']).not.toBe('forged');
    expect([headers['clear-site-data'], headers['x-hop']]).toEqual([undefined, undefined]);
  });

  it('may be a redirect, which is passed on and kept under the prefix', async () => {
    const hub = await behindHub(
      (request, response) => {
        const to = new URL(`http://x${request.url}`).searchParams.get('to') ?? '';
        response.writeHead(302, { location: to.replace('SELF', `http://${request.headers.host}`) });
        response.end();
      },
      {},
      { path: '/base' },
    );
    const locationOf = async (to: string) => (await hub.ask(`/api/reports/go?to=${to}`)).headers.get('location');
    expect(await locationOf('/base/next?a=1')).toBe('/api/reports/next?a=1');
    expect(await locationOf('SELF/base/next')).toBe('/api/reports/next');
    expect(await locationOf('/elsewhere')).toBe('/elsewhere');
    expect(await locationOf('https://example.org/base/x')).toBe('https://example.org/base/x');
    expect(await locationOf('next')).toBe('next');
  });

  it('closes the client’s connection when the hub wants it closed, whatever the service wants', async () => {
    const edge = {
      limit: (_request: unknown, response: { header(name: string, value: string): unknown }) =>
        void response.header('connection', 'close'),
    };
    const hub = await behindHub(mirror, {}, { edge });
    expect((await hub.ask('/api/reports/x')).headers.get('connection')).toBe('close');
  });

  it('is logged, counted and finished like any other', async () => {
    const finished: number[] = [];
    const hub = await behindHub(
      (_request, response) => {
        response.statusCode = 201;
        response.end('made');
      },
      {},
      { edge: { finished: (_request, response) => finished.push(response.statusCode) } },
    );
    await hub.ask('/api/reports/x', { method: 'POST', body: 'x' });
    await expect.poll(() => finished).toEqual([201]);
    const text = await hub.metrics.metrics();
    expect(text).toContain('upstream_requests_total{upstream="reports",outcome="answered"} 1');
    expect(text).toContain('http_request_duration_seconds_count{method="POST",route="/api/reports/*",status="201"} 1');
    expect(text).toContain('circuit_breaker_calls_total{name="upstream:reports",outcome="success"} 1');
  });
});
