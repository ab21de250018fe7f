import { createMetrics, systemClock, type ApiKeyPrincipal, type Sql } from '@impact-hub/core';
import { controlledClock, createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { insertCompany, makeKey } from '../test-company.ts';
import type { ApiKeyVerifierOptions } from '../verification/api-key-verifier.ts';
import { startTestVerifier } from '../verification/test-verifier.ts';
import { maxNetworksPerKey } from './add-usage.ts';
import { createUsageRecorder } from './usage-recorder.ts';

let database: TestDatabase;
let companyId: string;
const ip = '192.0.2.1';
const cleanups: (() => Promise<void>)[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  companyId = await insertCompany(database.owner);
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});
afterAll(() => database.drop());

const startVerifier = (options: Partial<ApiKeyVerifierOptions> = {}) => {
  const started = startTestVerifier(database.db, options);
  cleanups.push(() => started.verifier.stop());
  return started;
};

const startRecorder = (options: { sql?: Sql; clock?: typeof systemClock; onError?(error: unknown): void } = {}) => {
  const recorder = createUsageRecorder({
    sql: database.db.systemSql,
    clock: systemClock,
    metrics: createMetrics(),
    flushIntervalMs: 60_000,
    onError: (error) => {
      throw error;
    },
    ...options,
  });
  cleanups.push(recorder.stop);
  return recorder;
};

const newPrincipal = (): ApiKeyPrincipal => ({
  kind: 'api_key',
  keyId: 'x'.repeat(12),
  secretId: 's',
  companyId,
  environment: 'live',
  scopes: new Set(),
  rateLimitPerMinute: 60,
});

const ownerOf = async (apiKeyId: string) => {
  const [row] = await database.owner<{ id: string }[]>`select id from api_key_secret where api_key_id = ${apiKeyId}`;
  return { apiKeyId, companyId, secretId: row?.id ?? '' };
};

const stored = async (id: string) => {
  const [row] = await database.owner<Record<string, unknown>[]>`
    select call_count::int as calls, client_error_count::int as "clientErrors", server_error_count::int as "serverErrors",
           rate_limited_count::int as "rateLimited", last_used_at as at, last_used_ip as ip, last_user_agent as agent
    from api_key_usage where api_key_id = ${id}`;
  return row;
};

describe('usage', () => {
  it('counts every accepted call of several keys and processes, with one statement per flush', async () => {
    const one = startVerifier();
    const two = startVerifier();
    const [a, b] = [await makeKey(database.db, companyId), await makeKey(database.db, companyId)];
    for (let call = 0; call < 10; call += 1) await one.verifier.verify(a.key, ip);
    for (let call = 0; call < 5; call += 1) await one.verifier.verify(b.key, ip);
    for (let call = 0; call < 3; call += 1) await two.verifier.verify(a.key, '192.0.2.2');
    const before = one.watch.queries;
    await Promise.all([one.verifier.flushUsage(), two.verifier.flushUsage()]);
    expect(one.watch.queries - before).toBe(1);
    await one.verifier.flushUsage();
    expect(one.watch.queries - before).toBe(1);
    expect(await stored(a.id)).toMatchObject({ calls: 13, ip: '192.0.2.2' });
    expect(await stored(b.id)).toMatchObject({ calls: 5, ip });
  });

  it('never moves the last use backwards', async () => {
    const clock = controlledClock(new Date());
    const { verifier } = startVerifier({ clock });
    const { id, key } = await makeKey(database.db, companyId);
    await verifier.verify(key, ip);
    await verifier.flushUsage();
    const first = await stored(id);
    clock.advanceMs(-60_000);
    await verifier.verify(key, '192.0.2.2');
    await verifier.flushUsage();
    expect(await stored(id)).toEqual({ ...first, calls: 2 });
  });

  it('counts outcomes, the user agent, the secret and the hour of a key', async () => {
    const { verifier } = startVerifier();
    const { id, key } = await makeKey(database.db, companyId);
    for (const statusCode of [200, 404, 429, 500, 503]) {
      const result = await verifier.verify(key, ip);
      if (!result.valid) throw new Error('the key is good');
      const agent = { headers: { 'user-agent': `bad\u0000\ud800agent${'x'.repeat(1_000)}` } };
      verifier.finished(agent, { statusCode }, result.principal);
    }
    await verifier.flushUsage();
    const outcomes = { calls: 5, clientErrors: 2, serverErrors: 2, rateLimited: 1 };
    expect(await stored(id)).toMatchObject({
      ...outcomes,
      agent: expect.stringMatching(/^bad \ufffdagentx{100,300}$/) as string,
    });
    const [hour] = await database.owner`
      select calls::int, client_errors::int as "clientErrors", server_errors::int as "serverErrors",
             rate_limited::int as "rateLimited" from api_key_usage_hour where api_key_id = ${id}`;
    expect(hour).toEqual(outcomes);
    const [secret] = await database.owner<{ calls: number }[]>`
      select call_count::int as calls from api_key_secret where api_key_id = ${id} and last_used_at is not null`;
    expect(secret).toEqual({ calls: 5 });
  });

  it('ignores answers to those who hold no key', async () => {
    const recorder = startRecorder();
    recorder.finished({ headers: {} }, { statusCode: 500 }, newPrincipal());
    await expect(recorder.flush()).resolves.toBeUndefined();
  });
});

describe('writing usage', () => {
  it('keeps what it could not write for the next flush', async () => {
    const errors: unknown[] = [];
    const { verifier } = startVerifier({ onError: (error) => errors.push(error) });
    const { id, key } = await makeKey(database.db, companyId);
    await verifier.verify(key, ip);
    await database.owner`alter table api_key_usage rename to api_key_usage_away`;
    await verifier.flushUsage();
    await database.owner`alter table api_key_usage_away rename to api_key_usage`;
    expect(errors).toHaveLength(1);
    await verifier.verify(key, ip);
    await verifier.flushUsage();
    expect(await stored(id)).toMatchObject({ calls: 2 });
  });

  it('adds a batch once although the answer to its commit was lost', async () => {
    const { id } = await makeKey(database.db, companyId);
    let isLosing = true;
    const losing = new Proxy(database.db.systemSql, {
      apply: (target, _self, args: Parameters<Sql>) =>
        (Reflect.apply(target, undefined, args) as Promise<unknown>).then((rows) => {
          if (isLosing)
            throw Object.assign(new Error('connection lost after the commit'), { code: 'CONNECTION_CLOSED' });
          return rows;
        }),
    });
    const recorder = startRecorder({ sql: losing, onError: () => undefined });
    const usage = recorder.track(await ownerOf(id), newPrincipal());
    recorder.count(usage, Date.now(), ip);
    await recorder.flush();
    recorder.count(usage, Date.now(), ip);
    await recorder.flush();
    isLosing = false;
    recorder.count(usage, Date.now(), ip);
    await recorder.flush();
    expect(await stored(id)).toMatchObject({ calls: 3 });
  });

  it('equals a plain sum, whatever the order of calls, answers, flushes and lost or doubled writes', async () => {
    const keys = [await makeKey(database.db, companyId), await makeKey(database.db, companyId)];
    const owners = await Promise.all(keys.map(({ id }) => ownerOf(id)));
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('count' as const),
        key: fc.nat(1),
        ip: fc.constantFrom(ip, '2001:db8::1', 'junk'),
      }),
      fc.record({ kind: fc.constant('answer' as const), key: fc.nat(1), status: fc.constantFrom(200, 404, 429, 502) }),
      fc.record({ kind: fc.constant('flush' as const), fault: fc.constantFrom('none', 'before', 'after') }),
    );
    const expected = keys.map(() => ({ calls: 0, clientErrors: 0, serverErrors: 0, rateLimited: 0 }));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        let fault = 'none';
        const faulty = new Proxy(database.db.systemSql, {
          apply: async (target, _self, args: Parameters<Sql>) => {
            if (fault === 'before') throw new Error('not sent');
            const rows: unknown = await Reflect.apply(target, undefined, args);
            if (fault === 'after') throw new Error('not heard');
            return rows;
          },
        });
        const recorder = startRecorder({ sql: faulty, onError: () => undefined });
        const tracked = owners.map((owner) => {
          const principal = newPrincipal();
          return { principal, usage: recorder.track(owner, principal) };
        });
        for (const one of steps) {
          if (one.kind === 'flush') {
            ({ fault } = one);
            await recorder.flush();
            continue;
          }
          const { usage, principal } = tracked[one.key] as (typeof tracked)[number];
          const sums = expected[one.key] as (typeof expected)[number];
          if (one.kind === 'count') {
            recorder.count(usage, Date.now(), one.ip);
            sums.calls += 1;
            continue;
          }
          recorder.finished({ headers: {} }, { statusCode: one.status }, principal);
          if (one.status >= 500) sums.serverErrors += 1;
          else if (one.status >= 400) sums.clientErrors += 1;
          if (one.status === 429) sums.rateLimited += 1;
        }
        fault = 'none';
        await recorder.stop();
        for (const [index, { id }] of keys.entries()) {
          const [networks] = await database.owner<{ calls: number }[]>`
            select coalesce(sum(calls), 0)::int as calls from api_key_network where api_key_id = ${id}`;
          expect(await stored(id)).toMatchObject(expected[index] as object);
          expect(networks?.calls).toBe(expected[index]?.calls);
        }
      }),
      { numRuns: 15 },
    );
  });

  it('remembers a bounded number of networks and counts the rest together', async () => {
    const { id } = await makeKey(database.db, companyId);
    const recorder = startRecorder();
    const usage = recorder.track(await ownerOf(id), newPrincipal());
    for (let part = 0; part < 500; part += 1) recorder.count(usage, Date.now(), `10.${part >> 8}.${part & 255}.7`);
    await recorder.flush();
    for (let part = 0; part < 500; part += 1) recorder.count(usage, Date.now(), `10.${part >> 8}.${part & 255}.7`);
    await recorder.flush();
    const rows = await database.owner<{ network: string; calls: number }[]>`
      select network, calls::int from api_key_network where api_key_id = ${id} order by calls desc, network`;
    expect(rows).toHaveLength(maxNetworksPerKey + 1);
    expect(rows[0]).toEqual({ network: 'other', calls: 1_000 - 2 * maxNetworksPerKey });
    expect(rows[1]).toEqual({ network: '10.0.0.0/24', calls: 2 });
  });

  it('is not held up by a change of the key, nor holds one up', async () => {
    const { id, keyId } = await makeKey(database.db, companyId);
    const recorder = startRecorder();
    const usage = recorder.track(await ownerOf(id), newPrincipal());
    await database.db.company(companyId, async (tx) => {
      await tx.sql`select 1 from api_key where key_id = ${keyId} for update`;
      recorder.count(usage, Date.now(), ip);
      await recorder.flush();
    });
    expect(await stored(id)).toMatchObject({ calls: 1 });
  });

  it('tells how far writing lags behind', async () => {
    const metrics = createMetrics();
    const recorder = createUsageRecorder({
      sql: database.db.systemSql,
      clock: systemClock,
      metrics,
      flushIntervalMs: 60_000,
      onError: () => undefined,
    });
    cleanups.push(recorder.stop);
    const { id } = await makeKey(database.db, companyId);
    const usage = recorder.track(await ownerOf(id), newPrincipal());
    recorder.count(usage, Date.now(), ip);
    expect(await metrics.getSingleMetricAsString('api_keys_usage_backlog')).toContain('api_keys_usage_backlog 1');
    await recorder.flush();
    expect(await metrics.getSingleMetricAsString('api_keys_usage_backlog')).toContain('api_keys_usage_backlog 0');
    expect(await metrics.getSingleMetricAsString('api_keys_usage_flush_age_seconds')).toContain('_seconds 0');
  });
});
