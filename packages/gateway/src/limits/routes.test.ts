import { bindModule, newId, systemClock, type PersonPrincipal } from '@impact-hub/core';
import { createTestDatabase, createTestServer, keyPrincipal, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { limitsModule } from './limits-module.ts';

let database: TestDatabase;
let api: ReturnType<typeof createTestServer>;
const [companyId, otherId] = [newId(), newId()];
beforeAll(async () => {
  database = await createTestDatabase();
  await database.owner`insert into company (id, name) values (${companyId}, 'A'), (${otherId}, 'B')`;
  const deps = { db: database.db, clock: systemClock, companyLimitPerMinute: 5_000 };
  api = createTestServer([bindModule(limitsModule, deps)]);
});
afterAll(async () => {
  await api.close();
  await database.drop();
});

const person = (role: string): PersonPrincipal => ({
  kind: 'person',
  personId: newId(),
  email: 'p@example.org',
  sessionId: newId(),
  role,
  companyId,
  scopes: new Set(['admin']),
});
const path = (id: string) => `/api/v1/companies/${id}/rate-limit`;
const put = async (caller: Parameters<typeof api.call>[0], id: string, requestsPerMinute: unknown) => {
  const response = await api.call(caller, 'PUT', path(id), { requestsPerMinute });
  return { status: response.statusCode, body: response.json<Record<string, unknown>>() };
};

it('the administrator of the system sets the limit of any company and takes it back, on record', async () => {
  const admin = person('system_admin');
  const set = await put(admin, otherId, 250);
  expect(set).toEqual({ status: 200, body: { companyId: otherId, requestsPerMinute: 250, isDefault: false } });
  expect((await put(admin, otherId, 300)).body['requestsPerMinute']).toBe(300);
  const [change] = await database.owner`select topic, key from hub_change order by seq desc limit 1`;
  expect(change).toEqual({ topic: 'company-rate-limit', key: otherId });
  expect((await put(admin, otherId, null)).body).toMatchObject({ requestsPerMinute: 5_000, isDefault: true });
  expect((await api.call(admin, 'GET', path(otherId))).json()).toMatchObject({ requestsPerMinute: 5_000 });
  const events = await database.owner<{ body: string }[]>`
    select convert_from(body, 'UTF8') as body from audit_event
    where type = 'company.rate_limit_set' and company_id = ${otherId} order by at, id`;
  expect(events.map(({ body }) => (JSON.parse(body) as { metadata: unknown }).metadata)).toEqual([
    { before: null, after: 250 },
    { before: 250, after: 300 },
    { before: 300, after: null },
  ]);
  expect((await put(admin, newId(), 10)).status).toBe(404);
});

it('a company sees its own limit only', async () => {
  for (const caller of [person('company_admin'), keyPrincipal(companyId, ['admin'])]) {
    expect((await api.call(caller, 'GET', path(companyId))).json()).toMatchObject({ companyId, isDefault: true });
    expect((await api.call(caller, 'GET', path(otherId))).statusCode).toBe(404);
  }
});

it('takes whole numbers from 1 and names what is wrong', async () => {
  for (const wrong of [0, -1, 1.5, '10', 2_000_000_000]) {
    const { status, body } = await put(person('system_admin'), companyId, wrong);
    expect([status, (body['errors'] as { pointer: string }[])[0]?.pointer]).toEqual([400, '/body/requestsPerMinute']);
  }
});
