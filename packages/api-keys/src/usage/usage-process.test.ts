import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertCompany, makeKey } from '../test-company.ts';

let database: TestDatabase;
let companyId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  companyId = await insertCompany(database.owner);
});
afterAll(() => database.drop());

/** Counts without an end, flushing now and then; says before and after each flush how many calls it has counted. */
const script = (owner: object): string => `
  import { connectSql, createMetrics, systemClock } from '@impact-hub/core';
  import { createUsageRecorder } from ${JSON.stringify(new URL('usage-recorder.ts', import.meta.url).href)};
  const sql = connectSql(process.env.SYSTEM_URL, { maxConnections: 2, applicationName: 'test' });
  const recorder = createUsageRecorder({
    sql, clock: systemClock, metrics: createMetrics(), flushIntervalMs: 60_000, onError: console.error,
  });
  const usage = recorder.track(${JSON.stringify(owner)}, {});
  let calls = 0;
  let stopping = false;
  process.once('SIGTERM', () => { stopping = true; });
  while (!stopping) {
    for (let call = 0; call < 7; call += 1) recorder.count(usage, Date.now(), '192.0.2.1');
    calls += 7;
    console.log('counted ' + calls);
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (stopping) break;
    await recorder.flush();
    console.log('flushed ' + calls);
  }
  await recorder.stop();
  await sql.end();
  console.log('stopped ' + calls);
`;

/** Lets a process count until it has flushed some times and then sends it the signal. */
const countUntil = async (signal: NodeJS.Signals) => {
  const { id: apiKeyId } = await makeKey(database.db, companyId);
  const [secret] = await database.owner<{ id: string }[]>`select id from api_key_secret where api_key_id = ${apiKeyId}`;
  const source = script({ apiKeyId, companyId, secretId: secret?.id });
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    cwd: new URL('.', import.meta.url),
    env: { PATH: process.env['PATH'], SYSTEM_URL: database.systemUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: Record<string, number> = {};
  let flushes = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [word = '', calls] = line.split(' ');
    said[word] = Number(calls);
    if (word === 'flushed' && (flushes += 1) === 20) child.kill(signal);
  });
  await once(child, 'close');
  const stored = async (): Promise<number> => {
    // What the killed process had sent may still be under way in the database.
    await database.owner`select 1 from api_key_usage where api_key_id = ${apiKeyId} for update`;
    const [row] = await database.owner<{ calls: number }[]>`
      select call_count::int as calls from api_key_usage where api_key_id = ${apiKeyId}`;
    return row?.calls ?? 0;
  };
  return { said, stored: await stored() };
};

describe('a process that counts', () => {
  it('loses nothing when it is stopped', async () => {
    const { said, stored } = await countUntil('SIGTERM');
    expect(stored).toBe(said['stopped']);
  });

  it('loses at most what it counted since its last flush when it is killed', async () => {
    const { said, stored } = await countUntil('SIGKILL');
    expect(said['stopped']).toBeUndefined();
    expect(stored).toBeGreaterThanOrEqual(said['flushed'] ?? Number.NaN);
    expect(stored).toBeLessThanOrEqual(said['counted'] ?? Number.NaN);
  });
});
