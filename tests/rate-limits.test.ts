import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestHub, type TestHub } from './support/test-hub.ts';

let hub: TestHub;
beforeAll(async () => {
  hub = await createTestHub();
});
afterAll(() => hub.close());

test('a key over its limit gets a 429 that names the limit and says when to come back', async () => {
  const companyId = await hub.company();
  const { key: admin } = await hub.key(companyId);
  const made = await hub.call('POST', '/admin/api-keys', {
    key: admin,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'small', environment: 'live', scopes: ['data:read'], rateLimitPerMinute: 2 }),
  });
  const { key } = made.json<{ key: string }>();
  const answers = await Promise.all(Array.from({ length: 5 }, () => hub.call('GET', '/api/v1/company', { key })));
  expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 200, 429, 429, 429]);

  const admitted = answers.find(({ statusCode }) => statusCode === 200);
  expect(admitted?.headers).toMatchObject({
    'x-ratelimit-limit': '2',
    'ratelimit-policy': '"key";q=2;w=69, "company";q=1200000;w=69',
    ratelimit: expect.stringMatching(/^"key";r=[01];t=\d+, "company";r=\d+;t=\d+$/),
  });
  const refused = answers.find(({ statusCode }) => statusCode === 429);
  const retryAfter = String(refused?.headers['retry-after']);
  expect(retryAfter).toMatch(/^(59|60|61)$/);
  expect(refused?.headers).toMatchObject({
    'content-type': expect.stringContaining('application/problem+json'),
    'x-ratelimit-remaining': '0',
    ratelimit: `"key";r=0;t=${retryAfter}`,
  });
  expect(refused?.json()).toMatchObject({ code: 'rate_limit.exceeded', status: 429, 'violated-policies': ['key'] });
});

test('nobody is limited at a public address', async () => {
  expect((await hub.call('GET', '/health')).headers).not.toHaveProperty('ratelimit');
});
