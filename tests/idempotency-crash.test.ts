import { createServer, type AddressInfo } from 'node:net';
import { createCompany } from '@impact-hub/accounts';
import { createApiKey } from '@impact-hub/api-keys';
import { systemClock } from '@impact-hub/core';
import { createTestDatabase, createTestRedis, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRandom } from './support/chaos-random.ts';
import { startHubProcess, type HubProcess } from './support/hub-process.ts';
import { newChange, sendChange, startCallers, type WantedChange } from './support/idempotent-callers.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

/** Fixed, so that the same moments are tried; what a kill hits depends on the machine. */
const seed = 20_261_121;
const kills = 3;

const by = { actor: { kind: 'system', id: 'test' } } as const;
const scopes = ['admin', 'data:read'];
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });

let database: TestDatabase;
let redis: Awaited<ReturnType<typeof createTestRedis>>;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let apiKey: string;
let companyId: string;
const gateways: HubProcess[] = [];
const settings: Record<string, string>[] = [];
const urls = () => settings.map((one) => `http://127.0.0.1:${one['HUB_PORT']}`);
const start = async (index: number): Promise<void> => {
  gateways[index] = await startHubProcess(settings[index] ?? {}, ['start', '--target=gateway']);
};

beforeAll(async () => {
  [database, redis, directory] = await Promise.all([createTestDatabase(), createTestRedis(), temporaryDirectory()]);
  companyId = (await database.db.system((tx) => createCompany(tx, { clock: systemClock }, by, { name: 'C' }))).id;
  const input = { name: 'k', environment: 'live', scopes, rateLimitPerMinute: 1_000_000, allowedIps: [] } as const;
  const made = await database.db.company(companyId, (tx) =>
    createApiKey(
      tx,
      { clock: systemClock, scopeCatalogue: { admin: '', 'data:read': '' } },
      { ...by, scopes: null },
      { ...input, scopes, allowedIps: [], metadata: {} },
    ),
  );
  apiKey = made.key;
  for (const _gateway of [0, 1])
    settings.push({
      HUB_DATABASE_RUNTIME_URL: database.runtimeUrl,
      HUB_DATABASE_SYSTEM_URL: database.systemUrl,
      REDIS_URL: redis.url,
      CLICKHOUSE_URL: 'http://127.0.0.1:9',
      HUB_DATA_DIR: directory.path,
      HUB_PORT: String(await freePort()),
    });
  await start(0);
  await start(1);
}, 60_000);
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.end('SIGKILL').catch(() => null)));
  await Promise.all([database.drop(), redis.close(), directory.remove()]);
});

/** @returns the changes that were not made exactly once, with one audit event and one answer */
const offenders = async (changes: readonly WantedChange[]): Promise<string[]> => {
  const rows = await database.owner<{ name: string; keys: number; events: number; keyId: string }[]>`
    select name, count(*)::int as keys, min(key_id) as "keyId",
           (select count(*)::int from audit_event e where e.type = 'api_key.created' and e.resource_id = min(k.key_id)) as events
    from api_key k group by name`;
  const made = new Map(rows.map((row) => [row.name, row]));
  return changes.flatMap((change) => {
    const row = made.get(change.name);
    const [body = '{}'] = change.bodies;
    const isRight =
      row?.keys === 1 &&
      row.events === 1 &&
      change.bodies.size === 1 &&
      (JSON.parse(body) as { keyId?: string }).keyId === row.keyId;
    return isRight ? [] : [`${change.name}: ${JSON.stringify(row)}, ${change.bodies.size} different answers`];
  });
};

test('fifty copies sent to two processes at once make one effect; each is answered with it or 409', async () => {
  const change = newChange();
  const statuses = await Promise.all(
    Array.from({ length: 50 }, (_, index) => sendChange(urls()[index % 2] ?? '', apiKey, change)),
  );
  expect(statuses.filter((status) => status !== '201' && status !== '409')).toEqual([]);
  expect(await sendChange(urls()[0] ?? '', apiKey, change)).toBe('201');
  expect(await offenders([change])).toEqual([]);
});

/** Makes the database sleep for a second where the trigger fires, and kills the process that waits for it. */
const killWhileAsleep = async (trigger: string, change: WantedChange): Promise<string> => {
  await database.owner.unsafe(`
    create function doze() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return new; end $$;
    ${trigger} for each row execute function doze()`);
  const unanswered = sendChange(urls()[0] ?? '', apiKey, change);
  const isAsleep = () => database.owner`
    select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`;
  while ((await isAsleep()).length === 0) await pause(5);
  await gateways[0]?.end('SIGKILL');
  expect(await unanswered).toBe('none');
  const meanwhile = await sendChange(urls()[1] ?? '', apiKey, change);
  while ((await isAsleep()).length > 0) await pause(5);
  await database.owner.unsafe('drop function doze cascade');
  for (let status = ''; status !== '201';) status = await sendChange(urls()[1] ?? '', apiKey, change);
  await start(0);
  return meanwhile;
};

test('killed just before the commit: nothing was done, and the retry does it', async () => {
  const change = newChange();
  const meanwhile = await killWhileAsleep('create trigger doze before insert on idempotency_record', change);
  expect([meanwhile, change.replays]).toEqual(['409', 0]);
  expect(await offenders([change])).toEqual([]);
});

test('killed inside the commit: it was done, and the retry gets the answer that was never sent', async () => {
  const change = newChange();
  const meanwhile = await killWhileAsleep(
    'create constraint trigger doze after insert on idempotency_record initially deferred',
    change,
  );
  expect([meanwhile, change.replays]).toEqual(['409', 1]);
  expect(await offenders([change])).toEqual([]);
});

test('whatever is killed and whenever: a change sent until it is answered is made exactly once', async () => {
  const callers = startCallers({ urls, apiKey, seed, callerCount: 6 });
  const random = createRandom(seed);
  const settled = async (): Promise<void> => {
    const from = callers.changes.length;
    while (callers.changes.length < from + 20) await pause(10);
  };
  for (let kill = 0; kill < kills; kill += 1) {
    await settled();
    await pause(random.between(0, 50));
    if (kill % 3 === 2) {
      // What a restart of PostgreSQL does to its clients.
      await database.owner`
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = ${database.name} and usename like 'hub_test_%'`;
      continue;
    }
    const index = random.pick([0, 1]);
    await gateways[index]?.end('SIGKILL');
    await start(index);
  }
  await settled();
  await callers.stop();

  const { changes, answers } = callers;
  process.stdout.write(`  ${changes.length} changes, answers ${JSON.stringify(Object.fromEntries(answers))}\n`);
  expect(await offenders(changes)).toEqual([]);
  expect(answers.get('none')).toBeGreaterThan(0);
  const last = changes.slice(-50);
  const again = await Promise.all(last.map((change, index) => sendChange(urls()[index % 2] ?? '', apiKey, change)));
  expect(new Set(again)).toEqual(new Set(['201']));
  for (const change of last) expect(change.replays).toBeGreaterThan(0);
  expect(await offenders(changes)).toEqual([]);
}, 60_000);
