import {
  bindModule,
  createMetrics,
  createOutbox,
  newId,
  type CompanyPrincipal,
  type PersonPrincipal,
} from '@impact-hub/core';
import { controlledClock, createTestDatabase, createTestServer } from '@impact-hub/testkit';
import { apiKeysModule, createKeyWatchMetrics, createLeakReports, type LeakedKeyPolicy } from './index.ts';
import { insertCompany, testCatalogue } from './test-company.ts';

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** Status and problem code of an answer. */
export const outcomeOf = ({ status, body }: { status: number; body: { code?: string } }) => [status, body.code];

type Send<A> = (caller: CompanyPrincipal, method: Method, path: string, body?: unknown) => Promise<A>;

const pathOf = (keyId: string, action = ''): string => `/admin/api-keys/${keyId}${action}`;

/** Requests that change one key, sent by `admin` unless said otherwise. */
const changesBy = <A>(send: Send<A>, admin: CompanyPrincipal) => ({
  pathOf,
  patch: (keyId: string, body: object, caller = admin) => send(caller, 'PATCH', pathOf(keyId), body),
  rotate: (keyId: string, body: object = {}, caller = admin) => send(caller, 'POST', pathOf(keyId, '/rotate'), body),
  retireOld: (keyId: string, body: object = {}) => send(admin, 'POST', pathOf(keyId, '/retire-old'), body),
});

/** The routes of this package over a database and a clock of their own, called by people and keys of one company. */
export const startKeyRoutes = async (policy: LeakedKeyPolicy = 'revoke') => {
  const database = await createTestDatabase();
  // Not before now: what the database itself dates must not seem to lie in the future.
  const clock = controlledClock(new Date());
  const metrics = createMetrics();
  const keyWatchMetrics = createKeyWatchMetrics(metrics);
  const leakReports = createLeakReports({ policy, metrics, nowMs: clock.nowMs });
  const { db, owner } = database;
  const routeTable = apiKeysModule.routes;
  const deps = {
    db,
    clock,
    scopeCatalogue: testCatalogue,
    routeTable,
    leakReports,
    outbox: createOutbox({}),
    keyWatchMetrics,
  };
  const { call, close } = createTestServer([bindModule(apiKeysModule, deps)]);
  const companyId = await insertCompany(owner);

  const person = (scopes: readonly string[] = Object.keys(testCatalogue)): PersonPrincipal => ({
    kind: 'person',
    personId: newId(),
    sessionId: newId(),
    companyId,
    email: 'a@example.org',
    role: 'company_admin',
    scopes: new Set(scopes),
  });
  const admin = person();
  const send = async (caller: CompanyPrincipal, method: Method, path: string, body?: unknown) => {
    const response = await call(caller, method, path, body);
    return { status: response.statusCode, body: response.json(), headers: response.headers };
  };
  const make = async (overrides: object = {}): Promise<{ key: string; keyId: string; id: string }> => {
    const wanted = { name: 'Key', environment: 'live', scopes: ['data:read'], ...overrides };
    return (await send(admin, 'POST', '/admin/api-keys', wanted)).body;
  };
  /** A key as a caller that comes with its newest secret. */
  const principalOf = async (keyId: string, environment: 'live' | 'test' = 'live') => {
    const [secret] = await owner<{ id: string }[]>`
      select s.id from api_key_secret s join api_key k on k.id = s.api_key_id where k.key_id = ${keyId}
      order by s.generation desc`;
    const secretId = secret?.id ?? '';
    return { kind: 'api_key', keyId, secretId, companyId, environment, rateLimitPerMinute: 60 } as const;
  };
  /** A key as a caller, with the bounds that its row gives it. */
  const keyCaller = async (overrides: { environment?: 'live' | 'test' } & Record<string, unknown> = {}) => {
    const scopes = ['admin', 'data:read'];
    const { keyId } = await make({ scopes, ...overrides });
    return { ...(await principalOf(keyId, overrides.environment)), scopes: new Set(scopes) };
  };
  /** Everything stored about keys, to show that nothing was written. */
  const stored = async () =>
    JSON.stringify([
      await owner`select * from api_key order by id`,
      await owner`select *, encode(key_sha256, 'hex') as hash from api_key_secret order by id`,
      await owner`select id from audit_event order by id`,
    ]);
  const events = async (keyId: string) =>
    owner<
      {
        type: string;
        severity: string;
        actor: string;
        changes: Record<string, unknown>;
        metadata: Record<string, unknown>;
      }[]
    >`
      select type, severity, actor_kind || ':' || actor_id as actor,
             convert_from(body, 'UTF8')::jsonb -> 'changes' as changes,
             convert_from(body, 'UTF8')::jsonb -> 'metadata' as metadata
      from audit_event where resource_id = ${keyId} order by id`;
  return {
    database,
    clock,
    metrics,
    companyId,
    person,
    admin,
    send,
    make,
    ...changesBy(send, admin),
    inSeconds: (seconds: number): string => new Date(clock.nowMs() + seconds * 1_000).toISOString(),
    principalOf,
    keyCaller,
    stored,
    events,
    close: async () => {
      await close();
      await database.drop();
    },
  };
};
