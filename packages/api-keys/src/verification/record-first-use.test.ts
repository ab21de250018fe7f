import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startKeyRoutes } from '../test-key-routes.ts';
import { startTestVerifier } from './test-verifier.ts';

let hub: Awaited<ReturnType<typeof startKeyRoutes>>;
beforeAll(async () => {
  hub = await startKeyRoutes();
});
afterAll(() => hub.close());

const ip = '192.0.2.1';
const start = (options: Parameters<typeof startTestVerifier>[1] = {}) =>
  startTestVerifier(hub.database.db, { clock: hub.clock, ...options });
const rotated = async (overlapSeconds: number, keyOptions: object = {}) => {
  const made = await hub.make(keyOptions);
  const path = `/admin/api-keys/${made.keyId}/rotate`;
  const { body } = await hub.send(hub.admin, 'POST', path, { overlapSeconds, overlapFrom: 'first_use' });
  return { keyId: made.keyId, old: made.key, fresh: body.key as string };
};
const secretsOf = async (keyId: string) =>
  (await hub.send(hub.admin, 'GET', `/admin/api-keys/${keyId}`)).body.secrets as Record<string, unknown>[];
const changesOf = async (keyId: string) =>
  (await hub.database.owner`select 1 from hub_change where topic = 'api_key' and key = ${keyId}`).length;
const isoIn = (seconds: number): string => new Date(hub.clock.nowMs() + seconds * 1_000).toISOString();

describe('an overlap counted from the first use', () => {
  it('leaves the old secret without an end until the new one is used', async () => {
    const { keyId, old, fresh } = await rotated(60);
    const { verifier, feed } = start();
    hub.clock.advanceMs(30 * 86_400_000);
    expect(await verifier.verify(old, ip)).toMatchObject({ valid: true });
    expect(await verifier.verify(fresh, ip)).toMatchObject({ valid: true });
    const firstUsedAt = isoIn(0);
    await verifier.stop();
    feed.tell(keyId);
    expect(await secretsOf(keyId)).toMatchObject([
      { state: 'current', firstUsedAt, expiresAt: null },
      { state: 'old', expiresAt: isoIn(60) },
    ]);
    const second = start();
    expect(await second.verifier.verify(old, ip)).toMatchObject({ valid: true });
    hub.clock.advanceMs(60_000);
    expect(await second.verifier.verify(old, ip)).toMatchObject({ reason: 'expired' });
    expect(await second.verifier.verify(fresh, ip)).toMatchObject({ valid: true });
    await second.verifier.stop();
    expect((await hub.events(keyId)).at(-1)).toMatchObject({ type: 'api_key.rotated_secret_used' });
  });

  it('is started once by many uses in several processes, with one change told', async () => {
    const { keyId, fresh } = await rotated(60);
    const before = await changesOf(keyId);
    const verifiers = Array.from({ length: 4 }, () => start().verifier);
    await Promise.all(
      verifiers.flatMap((verifier) => Array.from({ length: 5 }, async () => verifier.verify(fresh, ip))),
    );
    await Promise.all(verifiers.map((verifier) => verifier.stop()));
    const [current, old] = await secretsOf(keyId);
    expect([current?.['firstUsedAt'], old?.['expiresAt']]).toEqual([isoIn(0), isoIn(60)]);
    expect(await changesOf(keyId)).toBe(before + 1);
    expect((await hub.events(keyId)).filter(({ type }) => type === 'api_key.rotated_secret_used')).toHaveLength(1);
  });

  it('never ends the old secret later than its key', async () => {
    const { keyId, fresh } = await rotated(86_400, { expiresAt: isoIn(100) });
    const { verifier } = start();
    await verifier.verify(fresh, ip);
    await verifier.stop();
    const path = `/admin/api-keys/${keyId}`;
    const endsAt = (await hub.send(hub.admin, 'GET', path)).body.expiresAt;
    await hub.send(hub.admin, 'PATCH', path, { expiresAt: null });
    expect((await secretsOf(keyId))[1]).toMatchObject({ expiresAt: endsAt });
  });

  it('is written on another try with the time of the use when the database refused at first', async () => {
    const { keyId, fresh } = await rotated(60);
    const errors: unknown[] = [];
    const { verifier } = start({ onError: (error) => void errors.push(error) });
    await hub.database.owner`revoke update (first_used_at) on api_key_secret from hub_system`;
    expect(await verifier.verify(fresh, ip)).toMatchObject({ valid: true });
    await expect.poll(() => errors.length).toBeGreaterThan(0);
    const usedAt = isoIn(0);
    hub.clock.advanceMs(5_000);
    await hub.database.owner`grant update (first_used_at) on api_key_secret to hub_system`;
    await expect.poll(async () => (await secretsOf(keyId))[0]?.['firstUsedAt'], { timeout: 5_000 }).toBe(usedAt);
    await verifier.stop();
  });

  it('is written by the next use when the process died before writing', async () => {
    const { keyId, fresh } = await rotated(60);
    const dying = start({ db: { ...hub.database.db, system: () => Promise.reject(new Error('gone')) } });
    expect(await dying.verifier.verify(fresh, ip)).toMatchObject({ valid: true });
    await dying.verifier.stop();
    expect((await secretsOf(keyId))[0]).toMatchObject({ state: 'waiting', firstUsedAt: null });
    const next = start();
    await next.verifier.verify(fresh, ip);
    await next.verifier.stop();
    expect((await secretsOf(keyId))[0]).toMatchObject({ state: 'current', firstUsedAt: isoIn(0) });
  });

  it('is not started by a use of a secret that was replaced before the use was written', async () => {
    const { keyId, old, fresh: replaced } = await rotated(60);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const { db } = hub.database;
    const { verifier } = start({ db: { ...db, system: async (work) => (await held, db.system(work)) } });
    expect(await verifier.verify(replaced, ip)).toMatchObject({ valid: true });
    const again = { overlapSeconds: 60, overlapFrom: 'first_use' };
    const { body } = await hub.send(hub.admin, 'POST', `/admin/api-keys/${keyId}/rotate`, again);
    expect(body).toMatchObject({ replacedUnused: true });
    release();
    await verifier.stop();
    hub.clock.advanceMs(3_600_000);
    const later = start();
    expect(await later.verifier.verify(old, ip)).toMatchObject({ valid: true });
    expect(await later.verifier.verify(body.key as string, ip)).toMatchObject({ valid: true });
    await later.verifier.stop();
  });

  it('does not delay the request that starts it', async () => {
    const { fresh } = await rotated(60);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const { db } = hub.database;
    const { verifier } = start({ db: { ...db, system: async (work) => (await held, db.system(work)) } });
    expect(await verifier.verify(fresh, ip)).toMatchObject({ valid: true });
    release();
    await verifier.stop();
  });
});
