import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { host, json, rawSenderTo, type RawAnswer } from './support/send-raw.ts';
import { createTestHub, type TestHub } from './support/test-hub.ts';

let hub: TestHub;
let send: Awaited<ReturnType<typeof rawSenderTo>>;
let key: string;
beforeAll(async () => {
  hub = await createTestHub();
  send = await rawSenderTo(hub);
  key = (await hub.key(await hub.company())).key;
});
afterAll(() => hub.close());

const apiKey = (): string => `X-API-Key: ${key}`;
/** Takes no body; of an endpoint that does not exist. */
const bodyless = `/api/v1/impact-in/endpoints/${crypto.randomUUID()}/pause`;

describe('a request that can be read in two ways is refused, and the answer names the place', () => {
  test.each<[string, () => Promise<RawAnswer>, number, string, string[]]>([
    [
      'two Host headers',
      () => send('GET /health HTTP/1.1', [host, 'Host: other.test']),
      400,
      'request.invalid',
      ['/headers/host'],
    ],
    ['no Host header', () => send('GET /health HTTP/1.1', []), 400, 'request.invalid', ['/headers/host']],
    [
      'two API keys',
      () => send('GET /api/v1/company HTTP/1.1', [host, apiKey(), 'x-api-KEY: other']),
      400,
      'request.invalid',
      ['/headers/x-api-key'],
    ],
    [
      'two Authorization headers',
      () => send('GET /api/v1/company HTTP/1.1', [host, `Authorization: Bearer ${key}`, 'Authorization: Basic eDp5']),
      400,
      'request.invalid',
      ['/headers/authorization'],
    ],
    [
      'two content types',
      () =>
        send(
          'POST /api/v1/people HTTP/1.1',
          [host, apiKey(), json, 'Content-Type: text/plain', 'Content-Length: 2'],
          '{}',
        ),
      400,
      'request.invalid',
      ['/headers/content-type'],
    ],
    [
      'two lengths',
      () => send('POST /api/v1/people HTTP/1.1', [host, 'Content-Length: 2', 'Content-Length: 3'], '{}'),
      400,
      'request.malformed',
      [],
    ],
    [
      'a length and chunks',
      () => send('POST /api/v1/people HTTP/1.1', [host, 'Content-Length: 2', 'Transfer-Encoding: chunked'], '{}'),
      400,
      'request.malformed',
      [],
    ],
    [
      'an unknown transfer encoding',
      () => send('POST /api/v1/people HTTP/1.1', [host, 'Transfer-Encoding: chunked, x'], '{}'),
      400,
      'request.malformed',
      [],
    ],
    ['a folded header', () => send('GET /health HTTP/1.1', [host, 'X-A: b\r\n c: d']), 400, 'request.malformed', []],
    [
      'an address of 9,000 bytes',
      () => send(`GET /health?${'a'.repeat(9_000)} HTTP/1.1`, [host]),
      414,
      'request.uri_too_long',
      [],
    ],
    [
      '20 KiB of headers',
      () => send('GET /health HTTP/1.1', [host, `X-A: ${'a'.repeat(20_000)}`]),
      431,
      'request.headers_too_large',
      [],
    ],
    [
      '101 headers',
      () => send('GET /health HTTP/1.1', [host, ...Array.from({ length: 100 }, (_, n) => `X-${n}: a`)]),
      431,
      'request.headers_too_large',
      [],
    ],
    [
      'a number in hexadecimal',
      () => send('GET /admin/api-keys?limit=0x10 HTTP/1.1', [host, apiKey()]),
      400,
      'request.invalid',
      ['/query/limit'],
    ],
    [
      'a number twice',
      () => send('GET /admin/api-keys?limit=1&limit=2 HTTP/1.1', [host, apiKey()]),
      400,
      'request.invalid',
      ['/query/limit'],
    ],
    [
      'a query field where none is known',
      () => send('GET /api/v1/company?nonsense=1 HTTP/1.1', [host, apiKey()]),
      400,
      'request.invalid',
      ['/query/nonsense'],
    ],
    [
      'a body with a GET',
      () => send('GET /api/v1/company HTTP/1.1', [host, apiKey(), json, 'Content-Length: 7'], '{"a":1}'),
      400,
      'request.invalid',
      ['/body'],
    ],
    [
      'a body where none is known',
      () => send(`POST ${bodyless} HTTP/1.1`, [host, apiKey(), json, 'Content-Length: 7'], '{"a":1}'),
      400,
      'request.invalid',
      ['/body/a'],
    ],
    [
      'JSON in another encoding',
      () =>
        send(
          'POST /api/v1/people HTTP/1.1',
          [host, apiKey(), `${json}; charset=iso-8859-1`, 'Content-Length: 2'],
          '{}',
        ),
      415,
      'request.unsupported_media_type',
      ['/headers/content-type'],
    ],
    [
      'a body that is no JSON',
      () => send('POST /api/v1/people HTTP/1.1', [host, apiKey(), 'Content-Type: text/xml', 'Content-Length: 2'], '{}'),
      415,
      'request.unsupported_media_type',
      ['/headers/content-type'],
    ],
    [
      'a cookie that is none',
      () => send('GET /api/v1/company HTTP/1.1', [host, 'Cookie: ;;=%%%;hub.session_token=%E0%A4%A;\x01']),
      400,
      'request.malformed',
      [],
    ],
    [
      'a session cookie that cannot be decoded',
      () => send('GET /api/v1/company HTTP/1.1', [host, 'Cookie: ;;=%%%; hub.session_token=%E0%A4%A']),
      401,
      'auth.unauthenticated',
      [],
    ],
    [
      'an id that cannot be decoded',
      () => send('GET /admin/api-keys/%ZZ HTTP/1.1', [host, apiKey()]),
      400,
      'request.invalid',
      ['/params'],
    ],
    [
      'an id of 201 characters',
      () => send(`GET /admin/api-keys/${'a'.repeat(201)} HTTP/1.1`, [host, apiKey()]),
      400,
      'request.invalid',
      ['/params'],
    ],
    [
      'a path that cannot be decoded, where there is nothing',
      () => send('GET /absent/%E0%A4%A HTTP/1.1', [host, apiKey()]),
      400,
      'request.invalid',
      ['/params'],
    ],
    [
      'an expectation that nobody knows',
      () => send('GET /health HTTP/1.1', [host, 'Expect: magic']),
      417,
      'request.expectation_failed',
      [],
    ],
    ['TRACE', () => send('TRACE /health HTTP/1.1', [host]), 405, 'request.method_not_allowed', []],
  ])('%s', async (_what, ask, status, code, pointers) => {
    const answer = await ask();
    expect([answer.status, answer.code, answer.pointers]).toEqual([status, code, pointers]);
    expect(answer.head).toContain('x-request-id: ');
    expect(answer.head).toContain('cache-control: no-store');
  });
});

describe('what is well-formed but unusual is answered', () => {
  test('HTTP/1.0 without Host, and an address in absolute form', async () => {
    expect((await send('GET /health HTTP/1.0', [])).status).toBe(200);
    expect((await send('GET http://other.test/health HTTP/1.1', [host])).status).toBe(200);
    const absent = await send('GET http://other.test/absent?x=1 HTTP/1.1', [host]);
    expect(JSON.parse(absent.text)).toMatchObject({ status: 404, instance: '/absent' });
  });

  test('a body that says it is not encoded, and the expectation that clients do send', async () => {
    const headers = [host, json, 'Content-Encoding: Identity', 'Expect: 100-continue', 'Content-Length: 2'];
    const answer = await send('POST /api/v1/auth/sign-in HTTP/1.1', headers, '{}');
    expect(answer.head).toMatch(/^http\/1\.1 100 continue/);
    expect(answer.text).toMatch(/^HTTP\/1\.1 4(?!15)/);
  });

  test('HEAD has the headers of GET and no body', async () => {
    const answer = await send('HEAD /health HTTP/1.1', [host]);
    expect([answer.status, answer.text]).toEqual([200, '']);
    expect(answer.head).toMatch(/content-length: [1-9]/);
  });

  test('OPTIONS names the methods and invites no other site', async () => {
    const answer = await send('OPTIONS /admin/api-keys HTTP/1.1', [
      host,
      'Origin: https://evil.example',
      'Access-Control-Request-Method: POST',
    ]);
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect(answer.head).toContain('allow: get, head, options, post');
    expect(answer.head).not.toContain('access-control');
  });

  test('an announced JSON body that is empty, where none is needed', async () => {
    const headers = [host, apiKey(), json, 'Content-Length: 0'];
    expect((await send(`POST ${bodyless} HTTP/1.1`, headers)).status).toBe(404);
  });

  test('UTF-8 by name', async () => {
    const body = '{"email":"x","password":"y"}';
    const headers = [host, `${json}; charset="UTF-8"`, `Content-Length: ${body.length}`];
    expect((await send('POST /api/v1/auth/sign-in HTTP/1.1', headers, body)).status).not.toBe(415);
  });

  test('a request id of the client is kept when it is harmless, else replaced', async () => {
    expect((await send('GET /health HTTP/1.1', [host, 'X-Request-Id: order-12345.a_b'])).head).toContain(
      'x-request-id: order-12345.a_b',
    );
    for (const id of [
      key.slice(0, 64),
      key.slice(10),
      `a-${key.slice(22, 65)}`,
      'short',
      'x'.repeat(65),
      'with space in it',
      '<script>alert()',
    ])
      expect((await send('GET /health HTTP/1.1', [host, `X-Request-Id: ${id}`])).head).toMatch(
        /x-request-id: [\da-f-]{36}\r\n/,
      );
  });
});

describe('security headers', () => {
  test('are on every answer, and nothing is kept by default', async () => {
    for (const path of ['/health', '/absent', '/api/v1/company'])
      expect((await hub.call('GET', path)).headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'no-store',
      });
    expect((await hub.call('GET', '/health')).headers).not.toHaveProperty('strict-transport-security');
  });

  test('pages allow nothing from elsewhere, no frame and no device', async () => {
    const { headers } = await hub.call('GET', '/docs/problems');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['permissions-policy']).toContain('camera=()');
    expect(headers['cross-origin-opener-policy']).toBe('same-origin');
  });
});
