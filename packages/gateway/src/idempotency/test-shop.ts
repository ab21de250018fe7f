import {
  anonymous,
  bindModule,
  buildHttpServer,
  createHttpMetrics,
  createLogger,
  createMetrics,
  defineModule,
  defineProblem,
  newId,
  reply,
  routeDefiner,
  systemClock,
  type Clock,
  type CompanyPrincipal,
  type Database,
  type Edge,
} from '@impact-hub/core';
import { createCompany } from '@impact-hub/accounts';
import { keyPrincipal, type TestDatabase } from '@impact-hub/testkit';
import { z } from 'zod';
import { createIdempotency } from './create-idempotency.ts';

type Deps = {
  db: Database;
  /** Called inside the handler after its effect, by the name of the thing. */
  pauses: Map<string, () => Promise<unknown>>;
};

const problemOf = (status: number) =>
  defineProblem({ code: `shop.answer_${status}`, status, title: `Answer ${status}`, remedy: 'Nothing.' });
const problems = new Map(
  [400, 401, 403, 404, 409, 410, 412, 422, 429, 500, 503].map((code) => [code, problemOf(code)]),
);

/** An effect of the test that shows: a row of the outbox under the thing's name. */
const leave = (db: Database, companyId: string, name: string) =>
  db.company(
    companyId,
    (tx) =>
      tx.sql`insert into job (id, company_id, queue, payload) values (${newId()}, ${companyId}, ${name}, '{}'::jsonb)`,
  );

const body = z.strictObject({
  name: z.string(),
  /** The status the handler answers with after its effect. */
  status: z.int().default(201),
  how: z.enum(['return', 'throw']).default('return'),
  padding: z.int().default(0),
  extra: z.unknown().optional(),
});

const defineRoute = routeDefiner<Deps>();
const output = { 201: z.object({ id: z.string(), name: z.string(), padding: z.string() }), 204: z.undefined() };

const make = (method: 'POST' | 'PUT', path: string) =>
  defineRoute({
    method,
    path,
    operationId: `${method.toLowerCase()}${path.replaceAll(/\W/g, '')}`,
    summary: 'Make a thing',
    access: 'signedIn',
    bodyLimitBytes: 4_000_000,
    input: { params: z.object({ id: z.string().optional() }), query: z.record(z.string(), z.string()), body },
    output,
    handler: async ({ input, principal, deps }) => {
      const { name, status, how, padding } = input.body;
      await leave(deps.db, principal.companyId, name);
      await deps.pauses.get(name)?.();
      const problem = problems.get(status);
      if (how === 'throw' && problem !== undefined) throw problem({ detail: newId(), headers: { 'x-why': name } });
      if (status === 204) return reply(204, undefined, { 'set-cookie': ['a=1', 'b=2'] });
      return reply(
        status,
        { id: newId(), name, padding: 'x'.repeat(padding) },
        { location: `/things/${newId()}`, 'set-cookie': ['a=1', 'b=2'] },
      );
    },
  });

const plain = (
  method: 'GET' | 'POST',
  path: string,
  more: { access: 'public' | 'signedIn'; idempotency?: 'none' | 'refused' },
) =>
  defineRoute({
    method,
    path,
    operationId: `${method.toLowerCase()}${path.replaceAll(/\W/g, '')}`,
    summary: 'Answers with something new each time',
    ...more,
    output: { 200: z.object({ id: z.string() }) },
    handler: () => ({ id: newId() }),
  });

const shop = defineModule<Deps>({
  name: 'shop',
  routes: [
    make('POST', '/things'),
    make('PUT', '/things'),
    make('POST', '/things/:id'),
    plain('GET', '/things', { access: 'signedIn' }),
    plain('POST', '/public', { access: 'public' }),
    plain('POST', '/none', { access: 'signedIn', idempotency: 'none' }),
    plain('POST', '/refused', { access: 'signedIn', idempotency: 'refused' }),
  ],
});

export type Sent = { key?: string; caller?: CompanyPrincipal; method?: 'GET' | 'POST' | 'PUT'; url?: string };

export const sampleSecret = 'a secret of the hub with more than 32 bytes';

/** A server with idempotency whose one kind of change leaves a countable row and answers as it is told. */
export const openShop = (options: { db: Database; clock: Clock; companyId: string; secret?: string }) => {
  const { db, clock, companyId, secret = sampleSecret } = options;
  const metrics = createMetrics();
  const edge: Edge = { around: createIdempotency({ db, clock, metrics, secret }).around };
  const pauses: Deps['pauses'] = new Map();
  const callers = new Map<string, CompanyPrincipal>();
  const defaultCaller = keyPrincipal(companyId, []);
  const server = buildHttpServer({
    modules: [bindModule(shop, { db, pauses })],
    edge,
    log: createLogger({ level: 'silent' }),
    metrics: createHttpMetrics(metrics),
    authorize: (request, access) =>
      access === 'public' ? anonymous : (callers.get(String(request.headers['x-caller'])) ?? defaultCaller),
  });
  const send = async (payload?: object | string, { key, caller, method = 'POST', url = '/things' }: Sent = {}) => {
    const id = newId();
    if (caller !== undefined) callers.set(id, caller);
    const response = await server.inject({
      method,
      url,
      headers: {
        ...(caller === undefined ? {} : { 'x-caller': id }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(payload === undefined ? {} : { payload }),
    });
    const { 'x-request-id': _id, date: _date, ...headers } = response.headers;
    return { status: response.statusCode, headers, body: response.body };
  };
  return { send, pauses, metrics, close: () => server.close() };
};

export type Shop = ReturnType<typeof openShop>;

const by = { actor: { kind: 'system', id: 'test' } } as const;

/** A company of its own, as the owner of stored answers. @returns its id */
export const makeCompany = async ({ db }: Pick<TestDatabase, 'db'>): Promise<string> =>
  (await db.system((tx) => createCompany(tx, { clock: systemClock }, by, { name: 'Company' }))).id;

/** How often the thing was made. */
export const countEffects = async ({ owner }: Pick<TestDatabase, 'owner'>, name: string): Promise<number> =>
  (await owner`select 1 from job where queue = ${name}`).length;

export const fresh = () => ({ name: newId(), key: newId() });
export const codeOf = ({ body: text }: { body: string }): string => (JSON.parse(text) as { code: string }).code;
