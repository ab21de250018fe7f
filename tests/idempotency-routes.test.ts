import { idempotencyOf, newId, type Route } from '@impact-hub/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { impactInSamples } from './support/impact-in-samples.ts';
import { createTestHub, password } from './support/test-hub.ts';

type AnyRoute = Route<unknown>;
/** One call of a route that succeeds and changes something. */
type Sample = { headers: Record<string, string>; params?: Record<string, string>; body?: object };

/** The route table is only known once the hub is composed, so the tests are made from it at collection time. */
const hub = await createTestHub();
const nameOf = (route: AnyRoute): string => `${route.method} ${route.path}`;
const repeatable = hub.routes.filter((route) => ['company', 'system'].includes(idempotencyOf(route)));
const refused = hub.routes.filter((route) => idempotencyOf(route) === 'refused');

let companyId: string;
let key: Record<string, string>;
beforeAll(async () => {
  companyId = await hub.company();
  key = { 'x-api-key': (await hub.key(companyId)).key };
});
afterAll(() => hub.close());

const personOf = async (role: 'system_admin' | 'company_admin' | 'viewer' = 'company_admin') => {
  const person = await hub.person(companyId, role);
  const { cookie, sessionId } = await hub.signIn(person.email);
  return { ...person, sessionId, headers: { cookie, origin: 'http://hub.test' } };
};
const email = (): string => `${newId()}@example.org`;
const keyId = async (): Promise<string> => (await hub.key(companyId)).keyId;
const onKey = async (body?: object): Promise<Sample> => ({
  headers: key,
  params: { keyId: await keyId() },
  ...(body === undefined ? {} : { body }),
});
const asPerson = async (params?: Record<string, string>): Promise<Sample> => {
  const { headers } = await personOf();
  return { headers, ...(params === undefined ? {} : { params }) };
};
const rotated = async (): Promise<Sample> => {
  const sample = await onKey();
  await hub.call('POST', `/admin/api-keys/${sample.params?.['keyId']}/rotate`, {
    headers: { ...key, 'content-type': 'application/json' },
    body: '{}',
  });
  return { ...sample, body: {} };
};

const samples: Record<string, () => Promise<Sample>> = {
  ...impactInSamples(hub, () => ({ companyId, key })),
  'POST /admin/api-keys': async () => ({
    headers: key,
    body: { name: 'New', environment: 'live', scopes: ['data:read'] },
  }),
  'PATCH /admin/api-keys/:keyId': () => onKey({ name: 'Renamed' }),
  'DELETE /admin/api-keys/:keyId': () => onKey(),
  'POST /admin/api-keys/:keyId/rotate': () => onKey({}),
  'POST /admin/api-keys/:keyId/retire-old': rotated,
  'POST /api/v1/people': async () => ({ headers: key, body: { email: email(), name: 'P', role: 'viewer' } }),
  'PATCH /api/v1/people/:personId': async () => ({
    headers: key,
    params: { personId: (await personOf('viewer')).id },
    body: { disabled: true },
  }),
  'DELETE /api/v1/people/:personId/sessions': async () => ({
    headers: key,
    params: { personId: (await personOf('viewer')).id },
  }),
  'DELETE /api/v1/people/invitations/:invitationId': async () => {
    const answer = await hub.call('POST', '/api/v1/people', {
      headers: { ...key, 'content-type': 'application/json' },
      body: JSON.stringify({ email: email(), name: 'P', role: 'viewer' }),
    });
    return { headers: key, params: { invitationId: answer.json<{ invitationId: string }>().invitationId } };
  },
  'POST /api/v1/companies': async () => ({
    headers: (await personOf('system_admin')).headers,
    body: { name: 'New', administrator: { email: email(), name: 'P' } },
  }),
  'PUT /api/v1/companies/:companyId/rate-limit': async () => ({
    headers: (await personOf('system_admin')).headers,
    params: { companyId: await hub.company() },
    body: { requestsPerMinute: 1_000 },
  }),
  'POST /api/v1/people/release-address': async () => ({
    headers: (await personOf('system_admin')).headers,
    body: { email: (await hub.person(companyId)).email },
  }),
  'POST /api/v1/auth/sign-out': () => asPerson(),
  'DELETE /api/v1/auth/sessions/:sessionId': async () => {
    const person = await personOf();
    const { cookie } = await hub.signIn(person.email);
    return { headers: { ...person.headers, cookie }, params: { sessionId: person.sessionId } };
  },
  'POST /api/v1/auth/sessions/revoke-others': async () => {
    const person = await personOf();
    await hub.signIn(person.email);
    return { headers: person.headers };
  },
  'POST /api/health/circuit-breakers/reset': async () => ({ headers: key, body: {} }),
  'POST /api/health/cache/clear': async () => ({ headers: key, body: {} }),
};
/** Figures of the whole installation, reset by a call without a body. */
for (const what of [
  'dashboard/reset',
  'cache/reset',
  'audit/reset',
  'replay-protection/reset',
  'replay-protection/clear',
])
  samples[`POST /api/health/${what}`] = async () => ({ headers: key });
const refusedBodies: Record<string, object> = {
  'POST /api/v1/auth/totp': { password },
  'POST /api/v1/auth/totp/confirm': { code: '123456' },
  'POST /api/v1/auth/totp/disable': { password },
};
/** Whoever ends their own session cannot come back with it, whatever they send along. */
const endsItsCaller = new Set(['POST /api/v1/auth/sign-out']);
/** Nothing to change in the sample, so nothing is recorded. */
const changesNothing = new Set(['POST /admin/api-keys/:keyId/dismiss-anomaly']);

const sampleOf = (route: AnyRoute): Promise<Sample> => {
  const make = samples[nameOf(route)];
  if (make !== undefined) return make();
  if (changesNothing.has(nameOf(route))) return onKey();
  throw new Error(`samples needs an entry for ${nameOf(route)}`);
};

const sender = (route: AnyRoute, { headers, params = {}, body }: Sample) => {
  const path = route.path.replaceAll(/:(\w+)/g, (_, name: string) => params[name] ?? '');
  const idempotencyKey = newId();
  return () =>
    hub.call(route.method, path, {
      headers: {
        ...headers,
        'idempotency-key': idempotencyKey,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
};

/** What background work of the hub may change at any time, and data keys, which are made once and outlive a failure. */
const restless = ['idempotency_record', 'api_key_', 'crypto_key', 'hub_'];
/** Its rows carry counters of use; what counts here is how many there are. */
const counted = 'api_key_secret';

/** All rows of all tables that requests change, by table. */
const everything = async (): Promise<Record<string, string>> => {
  const tables = await hub.database.owner<{ name: string }[]>`
    select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by relname`;
  const all: Record<string, string> = {};
  for (const { name } of tables) {
    if (name !== counted && restless.some((part) => name.startsWith(part))) continue;
    const [row] = await hub.database.owner<{ rows: string; digest: string }[]>`
      select count(*) as rows, md5(coalesce(string_agg(t::text, '' order by t::text), '')) as digest
      from ${hub.database.owner(name)} t`;
    all[name] = `${row?.rows} rows${name === counted ? '' : `, ${row?.digest}`}`;
  }
  return all;
};
const auditEvents = async (): Promise<number> => (await hub.database.owner`select 1 from audit_event`).length;

/** Makes storing answers fail while `work` runs: the last thing that can happen before the commit. */
const whileNothingCanBeStored = async <T>(work: () => Promise<T>): Promise<T> => {
  await hub.database.owner.unsafe(`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not now'; end $$;
    create trigger refuse before insert on idempotency_record for each row execute function refuse()`);
  try {
    return await work();
  } finally {
    await hub.database.owner.unsafe('drop function refuse cascade');
  }
};

describe.each(repeatable.map((route) => [nameOf(route), route] as const))('%s', (name, route) => {
  test('changes nothing at all when its answer cannot be stored', async () => {
    const send = sender(route, await sampleOf(route));
    const before = await everything();
    const failed = await whileNothingCanBeStored(send);
    expect(failed.statusCode, failed.body).toBe(500);
    expect(await everything()).toEqual(before);
  });

  test('answers twice with the same bytes, and changes and records once', async () => {
    const send = sender(route, await sampleOf(route));
    const eventsBefore = await auditEvents();
    const first = await send();
    expect(first.statusCode, first.body).toBeLessThan(300);
    const [after, events] = [await everything(), await auditEvents()];
    if (!changesNothing.has(name)) expect(events).toBeGreaterThan(eventsBefore);
    const again = await send();
    if (endsItsCaller.has(name)) expect(again.statusCode).toBe(401);
    else {
      expect([again.statusCode, again.body]).toEqual([first.statusCode, first.body]);
      expect(again.headers).toMatchObject({
        'x-idempotency-replayed': 'true',
        'x-original-timestamp': expect.any(String),
      });
      for (const header of ['content-type', 'location', 'set-cookie'])
        expect(again.headers[header]).toEqual(first.headers[header]);
    }
    expect(await everything()).toEqual(after);
    expect(await auditEvents()).toBe(events);
  });
});

describe.each(refused.map((route) => [nameOf(route), route] as const))('%s', (_name, route) => {
  test('says that it cannot be made repeatable', async () => {
    const { headers } = await personOf();
    const body = refusedBodies[nameOf(route)];
    const answer = await hub.call(route.method, route.path.replaceAll(/:\w+/g, newId()), {
      headers: {
        ...headers,
        'idempotency-key': newId(),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    expect([answer.statusCode, answer.body.includes('/headers/idempotency-key')]).toEqual([400, true]);
  });
});

describe('the API description', () => {
  test('offers the header exactly where it is honoured', async () => {
    type Operation = { parameters: { $ref?: string }[]; responses: Record<string, unknown> };
    const { paths } = (await hub.call('GET', '/openapi.json')).json<{
      paths: Record<string, Record<string, Operation>>;
    }>();
    for (const route of hub.routes) {
      const operation = paths[route.path.replaceAll(/:(\w+)/g, '{$1}')]?.[route.method.toLowerCase()];
      if (operation === undefined) continue;
      const offers = operation.parameters.some(({ $ref }) => $ref === '#/components/parameters/IdempotencyKey');
      expect(offers, nameOf(route)).toBe(repeatable.includes(route));
      if (offers) expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['409', '422']));
    }
  });
});
