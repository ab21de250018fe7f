import { request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { companyId, startHubWith, startService } from './test-upstream.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const behindHub = async (
  listener: RequestListener,
  settings: Record<string, unknown> = {},
  options: Parameters<typeof startHubWith>[2] = {},
) => {
  const service = await startService(listener);
  closing.push(service.close);
  const hub = await startHubWith(
    `${service.url}${String(settings['path'] ?? '')}`,
    { ...settings, path: undefined },
    options,
  );
  closing.push(hub.close);
  return { ...hub, service };
};

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

/** Sends bytes as they are and reads until the connection ends. */
const sendRaw = (port: number, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const bytesInUse = (): number => {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
};

describe('a request to an upstream', () => {
  it('arrives with its method, path, query, body and headers, for every method', async () => {
    const hub = await behindHub(mirror, { path: '/base/v2/' });
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const body = method === 'GET' || method === 'OPTIONS' ? null : '{ not: json';
      const answer = await hub.ask('/api/reports/a%20b/c?x=1&y=%2F', {
        method,
        body,
        headers: { 'content-type': 'application/json', 'idempotency-key': 'k-1', accept: 'text/x' },
      });
      const seen = (await answer.json()) as Mirrored;
      expect(seen).toMatchObject({ method, url: '/base/v2/a%20b/c?x=1&y=%2F', body: body ?? '' });
      expect(seen.headers).toMatchObject({
        'content-type': 'application/json',
        'idempotency-key': 'k-1',
        accept: 'text/x',
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
      environment: 'test',
      scopes: ['reports:read', 'reports:write'],
    });
    expect(payload.exp! - payload.iat!).toBe(60);
  });

  it('streams 100 MB there and back with little of it in memory', async () => {
    const hub = await behindHub((request, response) => {
      request.pipe(response);
    });
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const total = 1_600;
    let sent = 0;
    const source = new Readable({
      read() {
        this.push(sent++ < total ? Buffer.from(chunk) : null);
      },
    });
    const before = bytesInUse();
    let most = 0;
    let samples = 0;
    let received = 0;
    await new Promise<void>((resolve, reject) => {
      const request = httpRequest(
        `${hub.url}/api/reports/echo`,
        { method: 'POST', headers: hub.headers },
        (response) => {
          response.on('data', (part: Buffer) => {
            received += part.length;
            if (received > (samples + 1) * 10_000_000) {
              samples += 1;
              most = Math.max(most, bytesInUse() - before);
            }
          });
          response.on('end', resolve);
        },
      );
      request.on('error', reject);
      source.pipe(request);
    });
    expect(received).toBe(total * chunk.length);
    expect(most).toBeLessThan(40 * 1024 * 1024);
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
        'set-cookie': ['mine=1; Path=/', 'hub.session_token=forged; Path=/', '__Secure-hub.x=1'],
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
      { path: '/base' },
    );
    const locationOf = async (to: string) => (await hub.ask(`/api/reports/go?to=${to}`)).headers.get('location');
    expect(await locationOf('/base/next?a=1')).toBe('/api/reports/next?a=1');
    expect(await locationOf('SELF/base/next')).toBe('/api/reports/next');
    expect(await locationOf('/elsewhere')).toBe('/elsewhere');
    expect(await locationOf('https://example.org/base/x')).toBe('https://example.org/base/x');
    expect(await locationOf('next')).toBe('next');
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

describe('paths that could lead out of the prefix', () => {
  it('are refused before anything goes out', async () => {
    const seen: string[] = [];
    const hub = await behindHub((request, response) => {
      seen.push(request.url ?? '');
      response.end();
    });
    const bad = [
      '/api/reports/../admin',
      '/api/reports/./admin',
      '/api/reports/%2e%2e/admin',
      '/api/reports/%2E./admin',
      '/api/reports/..%2fadmin',
      '/api/reports/..%5cadmin',
      '/api/reports/..\\admin',
      '/api/reports/%252e%252e/admin',
      '/api/reports/%252e%252e%252fadmin',
      '/api/reports/a/..;/admin',
      '/api/reports/%2e%2e%3b/admin',
      '/api/reports//evil.example/x',
      '/api/reports/%2fevil.example',
      '/api/reports/a%00b',
      '/api/reports/a%0d%0ab',
      '/api/reports/%zz',
      '/api/reports/..',
      '/api/re%70orts/x',
      'http://evil.example/api/reports/x',
      '/api/reportsx',
    ];
    for (const path of bad) {
      const answer = await sendRaw(
        hub.port,
        `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: reports:read\r\n\r\n`,
      );
      expect(answer, path).toMatch(/^HTTP\/1.1 40[04] /);
    }
    expect(seen).toEqual([]);
    for (const path of ['/api/reports/a%2Fb', '/api/reports/.well-known', '/api/reports/a..b', '/api/reports/100%25'])
      expect((await hub.ask(path)).status, path).toBe(200);
    expect(seen).toEqual(['/a%2Fb', '/.well-known', '/a..b', '/100%25']);
  });
});

describe('requests that mean two things', () => {
  it.each([
    ['two lengths', 'content-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    ['length and chunks', 'content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['chunks twice encoded', 'transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['a length that is none', 'content-length: +1\r\n\r\na'],
  ])('are refused: %s', async (_what, rest) => {
    let seen = 0;
    const hub = await behindHub((_request, response) => {
      seen += 1;
      response.end();
    });
    const head = `POST /api/reports/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: reports:write\r\n`;
    const answer = await sendRaw(hub.port, head + rest);
    expect(answer).not.toMatch(/^HTTP\/1.1 2/);
    expect(seen).toBe(0);
  });
});
