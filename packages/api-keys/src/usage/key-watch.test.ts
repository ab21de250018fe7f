import {
  bindModule,
  createMetrics,
  createOutbox,
  jobDefiner,
  newId,
  type CompanyPrincipal,
  type Tx,
} from '@impact-hub/core';
import {
  controlledClock,
  createTestDatabase,
  createTestServer,
  keyPrincipal,
  type TestDatabase,
} from '@impact-hub/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { apiKeysModule, createKeyWatchMetrics, createLeakReports } from '../index.ts';
import { insertCompany, makeKey, testCatalogue } from '../test-company.ts';
import { flagAnomalies } from './flag-anomalies.ts';
import { removeOldUsage } from './remove-old-usage.ts';
import { sendReminders } from './send-reminders.ts';
import { createUsageRecorder } from './usage-recorder.ts';

let database: TestDatabase;
let server: ReturnType<typeof createTestServer>;
let companyId: string;
let admin: CompanyPrincipal;
const start = new Date('2026-06-15T12:30:00Z');
const clock = controlledClock(start);
const [hourMs, dayMs] = [3_600_000, 86_400_000];

const listener = jobDefiner<null>()({
  name: 'test.reminded',
  payload: z.strictObject({ keyId: z.string(), reason: z.string() }),
  handler: async () => undefined,
});

const depsOf = () => {
  const metrics = createMetrics();
  return {
    db: database.db,
    clock,
    scopeCatalogue: testCatalogue,
    routeTable: [],
    leakReports: createLeakReports({ policy: 'revoke', metrics }),
    outbox: createOutbox({ 'api_key.reminder_due': [listener] }),
    keyWatchMetrics: createKeyWatchMetrics(metrics),
  };
};

beforeAll(async () => {
  database = await createTestDatabase();
  server = createTestServer([bindModule(apiKeysModule, depsOf())]);
});
beforeEach(async () => {
  companyId = await insertCompany(database.owner);
  const [personId, sessionId, scopes] = [newId(), newId(), new Set(['admin'])];
  admin = { kind: 'person', personId, sessionId, companyId, scopes, email: 'a@example.org', role: 'company_admin' };
  clock.setMs(start.getTime());
});
afterAll(async () => {
  await server.close();
  await database.drop();
});

/** A key made at a moment of the test's clock. */
const keyAt = async (createdAt: Date, overrides: { expiresAt?: Date } = {}) => {
  const key = await makeKey(database.db, companyId);
  await database.owner`
    update api_key set created_at = ${createdAt}, expires_at = ${overrides.expiresAt ?? null} where id = ${key.id}`;
  await database.owner`update api_key_secret set created_at = ${createdAt} where api_key_id = ${key.id}`;
  return key;
};
const before = (days: number): Date => new Date(clock.nowMs() - days * dayMs);
const after = (days: number): Date => new Date(clock.nowMs() + days * dayMs);

const recorderOf = async (apiKeyId: string) => {
  const recorder = createUsageRecorder({
    sql: database.db.systemSql,
    clock,
    metrics: createMetrics(),
    flushIntervalMs: 60_000,
    onError: (error) => {
      throw error;
    },
  });
  const [secret] = await database.owner<{ id: string }[]>`select id from api_key_secret where api_key_id = ${apiKeyId}`;
  const principal = keyPrincipal(companyId, []);
  const usage = recorder.track({ apiKeyId, companyId, secretId: secret?.id ?? '' }, principal);
  return {
    /** So many calls from an address, written. */
    call: async (ip: string, calls: number, status = 200) => {
      for (let call = 0; call < calls; call += 1) {
        recorder.count(usage, clock.nowMs(), ip);
        recorder.finished({ headers: { 'user-agent': 'test' } }, { statusCode: status }, principal);
      }
      await recorder.flush();
    },
    stop: recorder.stop,
  };
};

const eventsOf = (keyId: string, type: string) =>
  database.owner<{ metadata: Record<string, unknown> }[]>`
    select convert_from(body, 'UTF8')::jsonb -> 'metadata' as metadata from audit_event
    where resource_id = ${keyId} and type = ${type} order by at, id`;
const get = async (path: string) => (await server.call(admin, 'GET', path)).json();

describe('a burst from a new network', () => {
  it('is flagged once, audited, shown with the key, and dismissed', async () => {
    const { id, keyId } = await keyAt(before(2));
    const recorder = await recorderOf(id);
    await recorder.call('192.0.2.1', 500);
    clock.advanceMs(2 * hourMs);
    await recorder.call('198.51.100.7', 60);
    clock.advanceMs(10_000);
    await recorder.call('198.51.100.8', 60);
    const deps = depsOf();
    const flagged = await Promise.all([flagAnomalies(deps), flagAnomalies(deps), flagAnomalies(deps)]);
    expect(flagged.reduce((sum, count) => sum + count)).toBe(1);
    const anomaly = { kind: 'burst_from_new_network', network: '198.51.100.0/24', calls: 120 };
    expect((await get(`/admin/api-keys/${keyId}`)).anomaly).toMatchObject(anomaly);
    expect(await eventsOf(keyId, 'api_key.anomaly_flagged')).toHaveLength(1);
    const dismissed = await server.call(admin, 'POST', `/admin/api-keys/${keyId}/dismiss-anomaly`);
    expect(dismissed.statusCode, dismissed.body).toBe(200);
    expect(dismissed.json().anomaly).toBeNull();
    await recorder.call('198.51.100.9', 500);
    expect(await flagAnomalies(deps)).toBe(0);
    expect((await get(`/admin/api-keys/${keyId}`)).anomaly).toBeNull();
    expect(await eventsOf(keyId, 'api_key.anomaly_dismissed')).toHaveLength(1);
    await recorder.stop();
  });

  it('is none without a history, below the threshold, spread over time, or from a known network', async () => {
    const [fresh, quiet, slow, known] = await Promise.all([1, 2, 3, 4].map(async () => (await keyAt(before(2))).id));
    const of = async (id: string | undefined) => recorderOf(id ?? '');
    const recorders = { fresh: await of(fresh), quiet: await of(quiet), slow: await of(slow), known: await of(known) };
    for (const recorder of [recorders.quiet, recorders.slow, recorders.known]) await recorder.call('192.0.2.1', 1);
    clock.advanceMs(2 * hourMs);
    await recorders.fresh.call('198.51.100.7', 500);
    await recorders.quiet.call('198.51.100.7', 99);
    await recorders.known.call('192.0.2.200', 500);
    for (let minute = 0; minute < 5; minute += 1) {
      await recorders.slow.call('2001:db8::1', 60);
      clock.advanceMs(61_000);
    }
    expect(await flagAnomalies(depsOf())).toBe(0);
    for (const recorder of Object.values(recorders)) await recorder.stop();
  });
});

describe('reminders', () => {
  it('come 30, 14, 7 and 1 days before the end, each once, however many processes send them', async () => {
    const { keyId } = await keyAt(before(0), { expiresAt: after(40) });
    const deps = depsOf();
    for (let day = 0; day < 45; day += 1) {
      await Promise.all([sendReminders(deps), sendReminders(deps)]);
      clock.advanceMs(dayMs);
    }
    const steps = (await eventsOf(keyId, 'api_key.reminder_due')).map(({ metadata }) => String(metadata['step']));
    expect(steps.map((step) => step.split('/')[1])).toEqual(['30', '14', '7', '1']);
    const jobs = await database.owner<{ payload: unknown }[]>`
      select payload from job where company_id = ${companyId} and queue = 'test.reminded'`;
    expect(jobs.map(({ payload }) => payload)).toEqual(steps.map(() => ({ keyId, reason: 'expires_soon' })));
  });

  it('come again when a key was prolonged, and start with the nearest step for a short-lived one', async () => {
    const { id, keyId } = await keyAt(before(0), { expiresAt: after(3) });
    const deps = depsOf();
    await sendReminders(deps);
    await database.owner`update api_key set expires_at = ${after(10)} where id = ${id}`;
    await sendReminders(deps);
    const steps = (await eventsOf(keyId, 'api_key.reminder_due')).map(({ metadata }) => String(metadata['step']));
    expect(steps.map((step) => step.split('/')[1])).toEqual(['7', '14']);
  });

  it('come every 30 days for keys that are idle or never end, and not for disabled or revoked ones', async () => {
    const { keyId } = await keyAt(before(0));
    const disabled = await keyAt(before(200));
    await database.owner`update api_key set enabled = false where id = ${disabled.id}`;
    const deps = depsOf();
    for (let day = 0; day < 125; day += 1) {
      await sendReminders(deps);
      clock.advanceMs(dayMs);
    }
    const reasons = (await eventsOf(keyId, 'api_key.reminder_due')).map(({ metadata }) => metadata['reason']);
    expect(reasons.filter((reason) => reason === 'idle')).toHaveLength(2);
    expect(reasons.filter((reason) => reason === 'never_expires')).toHaveLength(4);
    expect(await eventsOf(disabled.keyId, 'api_key.reminder_due')).toEqual([]);
  });
});

const rotated = (tx: Tx, id: string, at: Date) => tx.sql`
  insert into api_key_secret (id, api_key_id, company_id, key_sha256, created_at, generation, expires_at)
  values (${newId()}, ${id}, ${companyId}, sha256(${id}::text::bytea), ${at}, 2, null)`;

describe('hygiene', () => {
  it('names every key that wants attention, why, and what to do', async () => {
    const expiring = await keyAt(before(1), { expiresAt: after(5) });
    const idle = await keyAt(before(100), { expiresAt: after(100) });
    const endless = await keyAt(before(1));
    const old = await keyAt(before(5), { expiresAt: after(100) });
    await database.db.company(companyId, (tx) => rotated(tx, old.id, before(2)));
    await database.owner`update api_key_secret set last_used_at = ${before(1)} where api_key_id = ${old.id} and generation = 1`;
    const hygiene = await get('/admin/api-keys/hygiene');
    const keyIds = (finding: string) => hygiene[finding].keys.map((key: { keyId: string }) => key.keyId);
    expect(Object.fromEntries(Object.keys(hygiene).map((finding) => [finding, keyIds(finding)]))).toEqual({
      expiring: [expiring.keyId],
      idle: [idle.keyId],
      neverExpire: [endless.keyId],
      oldSecretStillUsed: [old.keyId],
      waitingForFirstUse: [old.keyId],
    });
    expect(hygiene.expiring).toMatchObject({ count: 1, keys: [{ why: 'Ends on 2026-06-20.' }] });
  });
});

describe('statistics', () => {
  it('sum the calls of the company by hour or day, without gaps, and count its keys by what they are', async () => {
    const busy = await keyAt(before(1));
    const other = await keyAt(before(100), { expiresAt: after(5) });
    await database.owner`update api_key set enabled = false where id = ${(await keyAt(before(1))).id}`;
    const [one, two] = [await recorderOf(busy.id), await recorderOf(other.id)];
    await one.call('192.0.2.1', 3);
    await one.call('192.0.2.1', 2, 429);
    await two.call('192.0.2.1', 1, 500);
    clock.advanceMs(2 * hourMs);
    await one.call('192.0.2.1', 4, 404);
    const stats = await get('/admin/api-keys/stats');
    expect(stats.keys).toMatchObject({ total: 3, active: 2, disabled: 1, expiringSoon: 1, idle: 0, neverExpiring: 1 });
    expect(stats.totals).toEqual({ calls: 10, clientErrors: 6, serverErrors: 1, rateLimited: 2 });
    expect(stats).toMatchObject({ interval: 'hour', from: '2026-06-14T14:00:00.000Z' });
    expect(stats.series).toHaveLength(25);
    expect(stats.series.at(-3)).toMatchObject({ at: '2026-06-15T12:00:00.000Z', calls: 6 });
    expect(stats.series.at(-2)).toMatchObject({ calls: 0 });
    expect(stats.topKeys.map((key: { keyId: string }) => key.keyId)).toEqual([busy.keyId, other.keyId]);
    const ofOne = await get(`/admin/api-keys/stats?keyId=${other.keyId}&interval=day`);
    expect(ofOne.totals).toEqual({ calls: 1, clientErrors: 0, serverErrors: 1, rateLimited: 0 });
    expect(ofOne.series).toHaveLength(2);
    const elsewhere = keyPrincipal(await insertCompany(database.owner), ['admin']);
    const stranger = (await server.call(elsewhere, 'GET', '/admin/api-keys/stats')).json();
    expect({ totals: stranger.totals.calls, keys: stranger.keys.total }).toEqual({ totals: 0, keys: 0 });
    expect((await server.call(elsewhere, 'GET', `/admin/api-keys/stats?keyId=${busy.keyId}`)).statusCode).toBe(404);
    await Promise.all([one.stop(), two.stop()]);
  });

  it.each([
    'from=2026-06-15T12:00:00Z&to=2026-06-15T12:00:00Z',
    'from=2026-01-01T00:00:00Z&to=2026-06-15T12:00:00Z',
    'from=2027-01-01T00:00:00Z',
  ])('refuse the range %s with 400', async (query) => {
    const response = await server.call(admin, 'GET', `/admin/api-keys/stats?${query}`);
    expect(response.statusCode).toBe(400);
    expect(response.json().errors[0].pointer).toBe('/query/from');
  });

  it('are kept for 90 days', async () => {
    const { id } = await keyAt(before(1));
    const recorder = await recorderOf(id);
    await recorder.call('192.0.2.1', 1);
    const left = async () => {
      await removeOldUsage(database.db.systemSql, clock.now());
      const hours = await database.owner`select 1 from api_key_usage_hour where api_key_id = ${id}`;
      return hours.length;
    };
    clock.advanceMs(89 * dayMs);
    expect(await left()).toBe(1);
    clock.advanceMs(2 * dayMs);
    expect(await left()).toBe(0);
    await recorder.stop();
  });
});
