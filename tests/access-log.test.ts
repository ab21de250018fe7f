import { createLogger } from '@impact-hub/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { host, json, rawSenderTo } from './support/send-raw.ts';
import { createTestHub, password, type TestHub } from './support/test-hub.ts';

const lines: string[] = [];
let hub: TestHub;
let send: Awaited<ReturnType<typeof rawSenderTo>>;
let key: string;
beforeAll(async () => {
  hub = await createTestHub(createLogger({ level: 'debug' }, { write: (line) => void lines.push(line) }));
  send = await rawSenderTo(hub);
  key = (await hub.key(await hub.company())).key;
});
afterAll(() => hub.close());

const apiKey = (): string => `X-API-Key: ${key}`;

test('whatever is thrown at the hub wherever, no secret gets into the log', async () => {
  const person = await hub.person(await hub.company());
  const { cookie } = await hub.signIn(person.email);
  const wrongKey = `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`;
  const basic = Buffer.from('partner:a basic secret').toString('base64');
  const secrets = [key, wrongKey, cookie.split('=')[1] ?? '', basic, password, 'whsec_c2VjcmV0IG9mIGEgd2ViaG9vaw=='];
  const paths = [
    '/api/v1/company',
    '/admin/api-keys',
    '/absent',
    '/health',
    '/webhooks/benevity/x',
    '/api/v1/auth/sign-in',
    '/%',
  ];
  lines.length = 0;
  for (const secret of secrets)
    for (const path of paths) {
      const quoted = encodeURIComponent(secret);
      const body = JSON.stringify({ [secret]: secret, email: secret, password: secret, nested: { secret } });
      const post = [json, `Content-Length: ${Buffer.byteLength(body)}`];
      const half = `{"password":"${secret}`;
      await send(`GET ${path}?api_key=${quoted}&${quoted}=${quoted} HTTP/1.1`, [host]);
      await send(`GET ${path}/${quoted} HTTP/1.1`, [host, apiKey()]);
      await send(`POST ${path} HTTP/1.1`, [host, ...post], body);
      await send(`POST ${path} HTTP/1.1`, [host, apiKey(), ...post], body);
      await send(`POST ${path} HTTP/1.1`, [host, apiKey(), json, `Content-Length: ${Buffer.byteLength(half)}`], half);
      for (const name of [
        'X-API-Key',
        'Authorization',
        'Cookie',
        'X-Request-Id',
        'User-Agent',
        'Referer',
        'X-Company-Id',
        'Idempotency-Key',
        'Traceparent',
        'X-Forwarded-For',
      ])
        await send(`GET ${path} HTTP/1.1`, [
          host,
          `${name}: ${name === 'Authorization' ? `Bearer ${secret}` : secret}`,
        ]);
    }
  await send('GET /api/v1/company HTTP/1.1', [host, `Cookie: ${cookie}`, `Authorization: Basic ${basic}`]);
  expect(lines.length).toBeGreaterThan(400);
  const log = lines.join('');
  for (const secret of secrets) {
    expect(log).not.toContain(secret);
    expect(log).not.toContain(encodeURIComponent(secret));
  }
  // The random part of the key by itself, however it was cut out.
  expect(log).not.toContain(key.slice(22, 42));
});

test('a flood of requests without a key does not write a line for each, and says how many it left out', async () => {
  lines.length = 0;
  let sent = 0;
  const refused = async (): Promise<void> => {
    sent += 1;
    expect((await hub.call('GET', '/api/v1/company')).statusCode).toBe(401);
  };
  await Promise.all(Array.from({ length: 300 }, refused));
  expect(lines.length).toBeLessThan(300);
  // What was left out before this test is told of, too.
  await expect
    .poll(async () => {
      await refused();
      const told = lines.map((line) => (JSON.parse(line) as { suppressed?: number }).suppressed ?? 0);
      return lines.length + told.reduce((sum, count) => sum + count, 0) >= sent;
    })
    .toBe(true);
});
