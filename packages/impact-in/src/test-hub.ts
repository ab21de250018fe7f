import { randomBytes } from 'node:crypto';
import {
  bindModule,
  buildHttpServer,
  createBreakers,
  createHttpMetrics,
  createLogger,
  createMetrics,
  createOutbox,
  newId,
  runJob,
  startChangeFeed,
  systemClock,
  type AccessPolicy,
  type CompanyPrincipal,
  type Job,
  type Sql,
} from '@impact-hub/core';
import { createCrypto } from '@impact-hub/crypto';
import { createTestDatabase } from '@impact-hub/testkit';
import { afterAll } from 'vitest';
import { createEndpoint } from './endpoints/create-endpoint.ts';
import type { CreateEndpointInput } from './endpoints/schema.ts';
import { createImpactIn, type ImpactInOptions } from './create-impact-in.ts';
import { jobs } from './jobs.ts';
import { impactInModule } from './module.ts';
import { makeEvent, type EventSeed } from './simulators/make-event.ts';
import { signRequest } from './simulators/sign-request.ts';
import type { PartnerName, SchemeName } from './verification/profile.ts';

/** Arrangement shared by this package's tests: the real server, database and crypto; callers name themselves by header. */
export type TestHub = Awaited<ReturnType<typeof createTestHub>>;

const authorize: AccessPolicy = (request): CompanyPrincipal => ({
  kind: 'api_key',
  keyId: 'testkey00000',
  secretId: '0192f000-0000-7000-8000-000000000001',
  companyId: String(request.headers['x-test-company']),
  environment: 'live',
  scopes: new Set([
    'deliveries:read',
    'deliveries:replay',
    'deliveries:send',
    'endpoints:read',
    'endpoints:manage',
    'connections:read',
    'connections:manage',
  ]),
  rateLimitPerMinute: 1_000_000,
});

type Options = Partial<ImpactInOptions> & { makeIngestSql?(systemUrl: string): Promise<Sql> };

export const createTestHub = async ({ makeIngestSql, ...more }: Options = {}) => {
  const database = await createTestDatabase();
  const ingestSql = await makeIngestSql?.(database.systemUrl);
  const { db, owner } = database;
  const crypto = createCrypto({ db, rootKey: randomBytes(32), clock: systemClock });
  const changes = await startChangeFeed(db);
  const log = createLogger({ level: 'silent' });
  const metrics = createMetrics();
  const breakers = createBreakers({ clock: systemClock, metrics: createMetrics(), log });
  const open = (overrides: Partial<ImpactInOptions> = {}) =>
    createImpactIn({
      db,
      changes,
      crypto,
      clock: systemClock,
      metrics: createMetrics(),
      log,
      publicUrl: 'http://hub.test',
      outbox: createOutbox({}),
      breakers,
      ...(ingestSql === undefined ? {} : { ingestSql }),
      ...more,
      ...overrides,
    });
  const impactIn = await open({ metrics });
  const server = buildHttpServer({
    modules: [bindModule(impactInModule, impactIn.deps)],
    authorize,
    log,
    metrics: createHttpMetrics(createMetrics()),
  });
  await server.ready();

  const addCompany = async (): Promise<string> => {
    const id = newId();
    await owner`insert into company (id, name) values (${id}, 'Test company')`;
    return id;
  };
  const addEndpoint = async (companyId: string, input: Partial<CreateEndpointInput> & { partner: PartnerName }) => {
    const maker = { actor: { kind: 'system', id: 'test' } } as const;
    const created = await db.company(companyId, (tx) =>
      createEndpoint(tx, impactIn.deps, maker, { name: 'Test', ...input }),
    );
    await impactIn.deps.endpoints.reload(created.endpoint.id);
    const secret = 'secret' in created.credentials ? created.credentials.secret : '';
    return { ...created.endpoint, companyId, secret, credentials: created.credentials };
  };
  /** Dispatches every job that is due, as the relay and a worker would. */
  const runJobs = async (): Promise<string[]> => {
    const due = await owner<{ id: string; queue: string; generation: number; company_id: string }[]>`
      update job set state = 'dispatched', generation = generation + 1, lease_until = now() + interval '1 minute'
      where state = 'queued' and run_at <= now() returning id, queue, generation, company_id`;
    const outcomes: string[] = [];
    for (const row of due.sort((a, b) => (a.id < b.id ? -1 : 1))) {
      const job = jobs.find(({ name }) => name === row.queue) as unknown as Job<never, unknown>;
      const dispatch = { id: row.id, generation: row.generation, companyId: row.company_id, traceparent: null };
      const { outcome } = await runJob({
        db,
        job,
        deps: impactIn.deps,
        dispatch,
        signal: new AbortController().signal,
        random: () => 0,
      });
      outcomes.push(outcome);
    }
    return outcomes;
  };
  return {
    ...database,
    crypto,
    breakers,
    metrics,
    impactIn,
    server,
    open,
    addCompany,
    addEndpoint,
    runJobs,
    close: async () => {
      await server.close();
      await impactIn.stop();
      await ingestSql?.end({ timeout: 2 });
      await changes.stop();
      crypto.close();
      await database.drop();
    },
  };
};

/** The hub of a test file, to be awaited at its top; closed after its last test. */
export const useTestHub = async (options: Options = {}): Promise<TestHub> => {
  const hub = await createTestHub(options);
  afterAll(() => hub.close());
  return hub;
};

export type TestEndpoint = Awaited<ReturnType<TestHub['addEndpoint']>>;

/** Sends bytes signed as the endpoint's partner would. */
export const sendSigned = async (
  hub: TestHub,
  endpoint: TestEndpoint,
  body: Buffer | Record<string, unknown>,
  more: { url?: string; headers?: Record<string, string>; secret?: string } = {},
) => {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const scheme = endpoint.scheme as SchemeName;
  const signed = signRequest({ scheme, secret: more.secret ?? endpoint.secret, body: bytes, nowMs: Date.now() });
  const url = more.url ?? `/webhooks/${endpoint.partner}/${endpoint.id}`;
  return hub.server.inject({ method: 'POST', url, headers: { ...signed.headers, ...more.headers }, payload: bytes });
};

export const eventOf = (partner: PartnerName, seed: string, more: Partial<EventSeed> = {}) =>
  makeEvent(partner, { seed, nowMs: Date.now(), ...more });

/** Reads the API as a company. */
export const read = async (hub: TestHub, companyId: string, path: string) =>
  hub.server.inject({ method: 'GET', url: `/api/v1/impact-in${path}`, headers: { 'x-test-company': companyId } });
