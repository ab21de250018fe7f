import { connectDatabase, startChangeFeed, systemClock } from '@impact-hub/core';
import { controlledClock, createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { composeApiKey, digestApiKey, generateApiKey } from '../key-format.ts';
import { revokeApiKey } from '../revoke-api-key.ts';
import { hubItself, insertCompany, makeKey } from '../test-company.ts';
import type { ApiKeyVerifier, ApiKeyVerifierOptions } from './api-key-verifier.ts';
import { unknownIdReads } from './look-up-limits.ts';
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
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
afterAll(() => database.drop());

const startVerifier = (options: Partial<ApiKeyVerifierOptions> = {}) => {
  const started = startTestVerifier(database.db, options);
  cleanups.push(() => started.verifier.stop());
  return started;
};

const revoke = (keyId: string) =>
  database.db.company(companyId, (tx) => revokeApiKey(tx, { clock: systemClock }, hubItself, { keyId }));

describe('accepting', () => {
  it('answers the second time without a promise and without a query', async () => {
    const { verifier, watch } = startVerifier();
    const { key, keyId } = await makeKey(database.db, companyId);
    const first = await verifier.verify(key, ip);
    expect(first).toMatchObject({ valid: true, principal: { kind: 'api_key', keyId, companyId, environment: 'live' } });
    expect(watch.queries).toBe(1);
    const second = verifier.verify(key, ip);
    expect(second).not.toBeInstanceOf(Promise);
    expect(second).toBe(first);
    expect(watch.queries).toBe(1);
  });

  it('reads a key once for all callers who ask at the same time', async () => {
    const { verifier, watch } = startVerifier();
    const { key } = await makeKey(database.db, companyId);
    const results = await Promise.all(Array.from({ length: 50 }, async () => verifier.verify(key, ip)));
    expect(results.every((result) => result.valid)).toBe(true);
    expect(watch.queries).toBe(1);
  });

  it('accepts every secret of a key until its own end', async () => {
    const clock = controlledClock(new Date());
    const { verifier, feed } = startVerifier({ clock });
    const { id, key, keyId } = await makeKey(database.db, companyId);
    const next = composeApiKey('live', keyId);
    const oldEndsAt = new Date(clock.nowMs() + 60_000);
    await database.owner`update api_key_secret set expires_at = ${oldEndsAt} where api_key_id = ${id}`;
    await database.owner`
      insert into api_key_secret (id, api_key_id, company_id, key_sha256, created_at, generation)
      values (gen_random_uuid(), ${id}, ${companyId}, ${Buffer.from(digestApiKey(next), 'base64')}, now(), 2)`;
    feed.tell(keyId);
    expect(await verifier.verify(key, ip)).toMatchObject({ valid: true });
    expect(await verifier.verify(next, ip)).toMatchObject({ valid: true });
    clock.advanceMs(60_001);
    expect(await verifier.verify(key, ip)).toMatchObject({ valid: false, reason: 'expired' });
    expect(await verifier.verify(next, ip)).toMatchObject({ valid: true });
  });
});

describe('refusing', () => {
  it('makes no query for a text that is not a key or has a wrong checksum', async () => {
    const { verifier, watch } = startVerifier();
    const { key } = await makeKey(database.db, companyId);
    const flipped = key.slice(0, 30) + (key[30] === 'a' ? 'b' : 'a') + key.slice(31);
    expect(verifier.verify(flipped, ip)).toEqual({ valid: false, reason: 'bad_checksum' });
    expect(verifier.verify('nonsense', ip)).toEqual({ valid: false, reason: 'malformed' });
    expect(verifier.verify('x'.repeat(100_000), ip)).toEqual({ valid: false, reason: 'malformed' });
    expect(watch.queries).toBe(0);
  });

  it('refuses another secret and another environment under a real key id', async () => {
    const { verifier } = startVerifier();
    const { keyId } = await makeKey(database.db, companyId);
    expect(await verifier.verify(composeApiKey('live', keyId), ip)).toEqual({ valid: false, reason: 'wrong_secret' });
    expect(await verifier.verify(composeApiKey('test', keyId), ip)).toEqual({ valid: false, reason: 'wrong_secret' });
  });

  it('refuses expired, disabled and revoked keys, cached or not', async () => {
    const clock = controlledClock(new Date());
    const { verifier, feed } = startVerifier({ clock });
    const expiring = await makeKey(database.db, companyId, { expiresAt: new Date(clock.nowMs() + 60_000) });
    expect(await verifier.verify(expiring.key, ip)).toMatchObject({ valid: true });
    clock.advanceMs(60_000);
    expect(await verifier.verify(expiring.key, ip)).toMatchObject({ reason: 'expired' });

    const switched = await makeKey(database.db, companyId);
    await database.owner`update api_key set enabled = false where id = ${switched.id}`;
    expect(await verifier.verify(switched.key, ip)).toMatchObject({ reason: 'disabled' });
    await database.owner`update api_key set enabled = true where id = ${switched.id}`;
    feed.tell(switched.keyId);
    expect(await verifier.verify(switched.key, ip)).toMatchObject({ valid: true });

    const ended = await makeKey(database.db, companyId);
    await revoke(ended.keyId);
    expect(await verifier.verify(ended.key, ip)).toMatchObject({ reason: 'revoked' });
  });

  it('refuses addresses outside the allow list, also from the cache', async () => {
    const { verifier } = startVerifier();
    const { key } = await makeKey(database.db, companyId, { allowedIps: ['192.0.2.0/24', '2001:db8::/32'] });
    expect(await verifier.verify(key, '192.0.2.9')).toMatchObject({ valid: true });
    expect(verifier.verify(key, '198.51.100.1')).toMatchObject({ reason: 'ip_not_allowed' });
    expect(verifier.verify(key, '2001:db8::9')).toMatchObject({ valid: true });
  });

  it('remembers a refusal for a moment, and never beyond a change of the key', async () => {
    const { verifier, feed, watch } = startVerifier();
    const { id, key, keyId } = await makeKey(database.db, companyId);
    await database.owner`update api_key set enabled = false where id = ${id}`;
    await verifier.verify(key, ip);
    await verifier.verify(key, ip);
    expect(watch.queries).toBe(1);
    await database.owner`update api_key set enabled = true where id = ${id}`;
    feed.tell(keyId);
    expect(await verifier.verify(key, ip)).toMatchObject({ valid: true });
  });

  it('stops looking for keys of an address that keeps presenting wrong ones; known keys still work from there', async () => {
    const { verifier, watch } = startVerifier();
    const { key } = await makeKey(database.db, companyId);
    await verifier.verify(key, ip);
    // One more than allowed: at the first refusal the verifier learns once which key ids there are.
    for (let attempt = 0; attempt < 61; attempt += 1) await verifier.verify(composeApiKey('live', 'unknownunkno'), ip);
    const before = watch.queries;
    expect(await verifier.verify(composeApiKey('live', 'unknownunkno'), ip)).toMatchObject({
      reason: 'too_many_misses',
      retryAfterSeconds: 1,
    });
    expect(watch.queries).toBe(before);
    expect(await verifier.verify(key, ip)).toMatchObject({ valid: true });
    expect(await verifier.verify(composeApiKey('live', 'unknownunkno'), '192.0.2.77')).toMatchObject({
      reason: 'unknown',
    });
  });

  it('reads good keys from an address that presents junk, also keys made meanwhile', async () => {
    const { verifier, feed, watch } = startVerifier();
    const address = '192.0.2.88';
    const { key } = await makeKey(database.db, companyId);
    const junk = () => verifier.verify(composeApiKey('live', 'unknownunkno'), address);
    for (let attempt = 0; attempt < 61; attempt += 1) await junk();
    expect(await verifier.verify(key, address)).toMatchObject({ valid: true });
    const later = await makeKey(database.db, companyId);
    feed.tell(later.keyId);
    expect(await verifier.verify(later.key, address)).toMatchObject({ valid: true });
    const before = watch.queries;
    expect(await junk()).toMatchObject({ reason: 'too_many_misses' });
    expect(watch.queries).toBe(before);
  });

  it('judges wrong secrets of a key it has read without reading again, and without harm to the right one', async () => {
    const { verifier, feed, watch } = startVerifier();
    const { id, key, keyId } = await makeKey(database.db, companyId);
    for (let attempt = 0; attempt < 1_000; attempt += 1)
      expect(await verifier.verify(composeApiKey('live', keyId), ip)).toMatchObject({ reason: 'wrong_secret' });
    expect(watch.queries).toBe(1);
    expect(verifier.verify(key, ip)).toMatchObject({ valid: true });
    await database.owner`update api_key set enabled = false where id = ${id}`;
    feed.tell(keyId);
    expect(await verifier.verify(composeApiKey('live', keyId), ip)).toMatchObject({ reason: 'wrong_secret' });
    expect(await verifier.verify(key, ip)).toMatchObject({ reason: 'disabled' });
  });

  it('bounds guesses at secrets while every one of them has to be read', async () => {
    const { verifier, feed, watch } = startVerifier();
    const { keyId } = await makeKey(database.db, companyId);
    feed.setCurrent(false);
    for (let attempt = 0; attempt < 60; attempt += 1)
      expect(await verifier.verify(composeApiKey('live', keyId), ip)).toMatchObject({ reason: 'wrong_secret' });
    const before = watch.queries;
    expect(await verifier.verify(composeApiKey('live', keyId), ip)).toMatchObject({ reason: 'too_many_misses' });
    expect(watch.queries).toBe(before);
  });

  it('reads no more than its bound for made-up keys, from however many addresses, and good keys at once meanwhile', async () => {
    const { verifier, watch } = startVerifier();
    const good = await Promise.all(Array.from({ length: 20 }, () => makeKey(database.db, companyId)));
    const startedAtMs = performance.now();
    const floods = Array.from({ length: 20_000 }, async (_, index) =>
      verifier.verify(generateApiKey('live').key, `2001:db8:${(index % 5_000).toString(16)}::1`),
    );
    const accepted = await Promise.all(good.map(async ({ key }) => verifier.verify(key, ip)));
    expect(accepted.every((result) => result.valid)).toBe(true);
    const refusals = await Promise.all(floods);
    const elapsedSeconds = (performance.now() - startedAtMs) / 1_000;
    // Besides, one read of the ids there are, and one for each good key.
    const allowed = unknownIdReads.burst + unknownIdReads.perSecond * elapsedSeconds + 1 + good.length;
    expect(watch.queries).toBeLessThanOrEqual(Math.ceil(allowed));
    expect(refusals.filter((result) => !result.valid && result.reason === 'too_many_misses').length).toBeGreaterThan(
      19_000,
    );
    const late = await makeKey(database.db, companyId);
    // Made elsewhere, and not told of yet: found as soon as the bound allows.
    await expect.poll(() => verifier.verify(late.key, '198.51.100.9')).toMatchObject({ valid: true });
  });
});

describe('change', () => {
  it('gives nobody a read that began before a revocation they could know of, and does not cache it', async () => {
    const { verifier, feed, watch } = startVerifier();
    const { key, keyId } = await makeKey(database.db, companyId);
    let release = () => undefined as void;
    watch.hold = new Promise((resolve) => (release = resolve));
    const during = verifier.verify(key, ip);
    await expect.poll(() => watch.queries).toBe(1);
    // The read has its rows (the key is good in them) and is only late in arriving.
    await new Promise((resolve) => setTimeout(resolve, 100));
    await revoke(keyId);
    feed.tell(keyId);
    watch.hold = undefined;
    const after = verifier.verify(key, ip);
    release();
    expect(await after).toMatchObject({ valid: false, reason: 'revoked' });
    expect(await during).toMatchObject({ valid: false, reason: 'revoked' });
    expect(await verifier.verify(key, ip)).toMatchObject({ valid: false, reason: 'revoked' });
  });

  it('reads through while nothing proves that changes arrive', async () => {
    const { verifier, feed } = startVerifier();
    const { key, keyId } = await makeKey(database.db, companyId);
    expect(await verifier.verify(key, ip)).toMatchObject({ valid: true });
    feed.setCurrent(false);
    await revoke(keyId);
    expect(await verifier.verify(key, ip)).toMatchObject({ valid: false, reason: 'revoked' });
  });

  const otherProcess = async (losesNotifications: boolean) => {
    const { runtimeUrl, systemUrl } = database;
    const db = connectDatabase({ runtimeUrl, systemUrl, maxConnections: 2 });
    const deaf = new Proxy(db.systemSql, {
      get: (target, name, receiver) =>
        name === 'listen' ? async () => ({ unlisten: async () => undefined }) : Reflect.get(target, name, receiver),
    });
    const feed = await startChangeFeed({ ...db, systemSql: losesNotifications ? deaf : db.systemSql });
    const { verifier } = startVerifier({ db, changes: feed });
    cleanups.push(async () => {
      await feed.stop();
      await verifier.stop();
      await db.close();
    });
    return verifier;
  };

  const msUntilRefused = async (verifier: ApiKeyVerifier, key: string) => {
    const startedAtMs = performance.now();
    while ((await verifier.verify(key, ip)).valid) {
      if (performance.now() - startedAtMs > 5_000) break;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return performance.now() - startedAtMs;
  };

  it('carries a revocation to another process within 2 s when notifications are lost', async () => {
    const verifier = await otherProcess(true);
    const { key, keyId } = await makeKey(database.db, companyId);
    expect(await verifier.verify(key, ip)).toMatchObject({ valid: true });
    await revoke(keyId);
    expect(await msUntilRefused(verifier, key)).toBeLessThan(2_000);
  });

  it('carries it at once when they are not', async () => {
    const verifier = await otherProcess(false);
    const latenesses: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const { key, keyId } = await makeKey(database.db, companyId);
      expect(await verifier.verify(key, ip)).toMatchObject({ valid: true });
      await revoke(keyId);
      latenesses.push(await msUntilRefused(verifier, key));
    }
    // Half of them: a busy machine delays single ones, and the feed's poll alone, each second, would be late for most.
    expect(latenesses.toSorted((a, b) => a - b)[2]).toBeLessThan(500);
  });

  it('forgets nothing it need not: a change of another key leaves the cache alone', async () => {
    const { verifier, feed, watch } = startVerifier();
    const { key } = await makeKey(database.db, companyId);
    await verifier.verify(key, ip);
    feed.tell('otherkeyidxx');
    expect(verifier.verify(key, ip)).not.toBeInstanceOf(Promise);
    expect(watch.queries).toBe(1);
  });
});
