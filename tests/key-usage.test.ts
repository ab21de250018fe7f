import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestHub, type TestHub } from './support/test-hub.ts';

let hub: TestHub;
beforeAll(async () => {
  hub = await createTestHub();
});
afterAll(() => hub.close());

test('what a key called, and what became of it, is seen with the key a moment later', async () => {
  const companyId = await hub.company();
  const admin = await hub.key(companyId);
  const small = await hub.key(companyId, ['data:read']);
  const headers = { 'user-agent': 'reporting/1.2' };
  await hub.call('GET', '/api/v1/impact-in/deliveries', { key: admin.key, headers });
  await hub.call('GET', '/admin/api-keys/AbsentKey000', { key: admin.key, headers });
  await hub.call('GET', '/admin/api-keys', { key: small.key, headers });
  const usageOf = async (keyId: string) => {
    const { usage } = (await hub.call('GET', `/admin/api-keys/${keyId}`, { key: admin.key, headers })).json<{
      usage: Record<string, unknown>;
    }>();
    return usage;
  };
  // Refused for want of a scope, it was the key's call all the same.
  const refused = {
    calls: 1,
    errors: 1,
    clientErrors: 1,
    serverErrors: 0,
    rateLimited: 0,
    lastUserAgent: 'reporting/1.2',
  };
  await expect.poll(() => usageOf(small.keyId), { timeout: 10_000 }).toMatchObject(refused);
  await expect.poll(() => usageOf(admin.keyId), { timeout: 10_000 }).toMatchObject({ errors: 1, clientErrors: 1 });
});
