import { controlledClock, createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { insertCompany, makeKey } from '../test-company.ts';
import type { ApiKeyVerifierOptions } from './api-key-verifier.ts';
import { startTestVerifier } from './test-verifier.ts';

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

describe('usage', () => {
  const stored = async (id: string) => {
    const [row] = await database.owner<{ calls: number; at: Date; ip: string }[]>`
      select call_count::int as calls, last_used_at as at, last_used_ip as ip from api_key_usage where api_key_id = ${id}`;
    return row;
  };

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
});
