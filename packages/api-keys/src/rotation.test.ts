import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestVerifier } from './verification/test-verifier.ts';
import { outcomeOf, startKeyRoutes } from './test-key-routes.ts';

let hub: Awaited<ReturnType<typeof startKeyRoutes>>;
beforeAll(async () => {
  hub = await startKeyRoutes();
});
afterAll(() => hub.close());

const read = async (keyId: string) => (await hub.send(hub.admin, 'GET', hub.pathOf(keyId))).body;
const statesOf = async (keyId: string): Promise<string[]> =>
  (await read(keyId)).secrets.map(({ state }: { state: string }) => state);
/** Presents a key; what its first use sets off is written by then. @returns whether it was accepted */
const use = async (key: string): Promise<boolean> => {
  const { verifier } = startTestVerifier(hub.database.db, { clock: hub.clock });
  const { valid } = await verifier.verify(key, '192.0.2.1');
  await verifier.stop();
  return valid;
};

describe('rotating', () => {
  it('keeps the key id, shows the new key once, and stores no key', async () => {
    const made = await hub.make({ scopes: ['data:read', 'deliveries:read'] });
    const { body, status } = await hub.rotate(made.keyId, { overlapSeconds: 60, reason: 'yearly' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: made.id, keyId: made.keyId, oldSecretExpiresAt: hub.inSeconds(60) });
    expect(body.scopes).toEqual(['data:read', 'deliveries:read']);
    expect(body.key.slice(0, 22)).toBe(made.key.slice(0, 22));
    expect(body.key).not.toBe(made.key);
    const { secrets } = await read(made.keyId);
    expect(secrets).toMatchObject([
      { state: 'current', expiresAt: null },
      { state: 'old', expiresAt: hub.inSeconds(60) },
    ]);
    for (const table of ['api_key', 'api_key_secret', 'audit_event', 'hub_change'])
      expect(JSON.stringify(await hub.database.owner.unsafe(`select * from ${table}`))).not.toContain(
        body.key.slice(22),
      );
    expect((await hub.events(made.keyId)).at(-1)).toMatchObject({
      type: 'api_key.rotated',
      changes: { generation: { from: 1, to: 2 } },
      metadata: { reason: 'yearly', overlapSeconds: 60, overlapFrom: 'now', oldSecretExpiresAt: hub.inSeconds(60) },
    });
  });

  it('never lets the old secret live longer than it would have, even if the key is extended later', async () => {
    const endsAt = hub.inSeconds(100);
    const { keyId } = await hub.make({ expiresAt: endsAt });
    expect((await hub.rotate(keyId)).body).toMatchObject({ oldSecretExpiresAt: endsAt, expiresAt: endsAt });
    await hub.patch(keyId, { expiresAt: null });
    expect((await read(keyId)).secrets.map((secret: { expiresAt: string }) => secret.expiresAt)).toEqual([
      null,
      endsAt,
    ]);
  });

  it('refuses while two secrets in use are valid, unless forced, which ends the oldest', async () => {
    const { keyId } = await hub.make();
    await use((await hub.rotate(keyId)).body.key);
    const before = await hub.stored();
    expect(outcomeOf(await hub.rotate(keyId))).toEqual([409, 'api_keys.rotation_overlaps']);
    expect(await hub.stored()).toBe(before);
    expect((await hub.rotate(keyId, { force: true })).status).toBe(200);
    expect(await statesOf(keyId)).toEqual(['current', 'old', 'ended']);
    hub.clock.advanceMs(86_400_000);
    expect((await hub.rotate(keyId, { overlapSeconds: 0 })).status).toBe(200);
    expect((await hub.rotate(keyId)).status).toBe(200);
  });

  it('replaces a new secret that was never used, and leaves the one in use as it was', async () => {
    const { key, keyId } = await hub.make();
    const lost = (await hub.rotate(keyId, { overlapSeconds: 600, overlapFrom: 'first_use' })).body;
    expect(lost).toMatchObject({ oldSecretExpiresAt: null, replacedUnused: false });
    const next = (await hub.rotate(keyId, { reason: 'lost' })).body;
    expect(next).toMatchObject({ oldSecretExpiresAt: null, replacedUnused: true });
    expect(await statesOf(keyId)).toEqual(['waiting', 'ended', 'old']);
    expect((await hub.events(keyId)).at(-1)).toMatchObject({
      type: 'api_key.rotated',
      changes: { generation: { from: 2, to: 3 } },
      metadata: { reason: 'lost', replacesUnused: true, overlapFrom: 'first_use', overlapSeconds: 600, endedAtOnce: 1 },
    });
    expect([await use(lost.key), await use(key), await use(next.key)]).toEqual([false, true, true]);
    // The overlap that was asked for first holds for the replacement.
    expect((await read(keyId)).secrets[2].expiresAt).toBe(hub.inSeconds(600));
  });

  it('gives the old secret another overlap when an unused one is replaced, never a longer one', async () => {
    const { keyId } = await hub.make();
    await hub.rotate(keyId, { overlapSeconds: 600 });
    expect((await hub.rotate(keyId)).body.oldSecretExpiresAt).toBe(hub.inSeconds(600));
    expect((await hub.rotate(keyId, { overlapSeconds: 6_000 })).body.oldSecretExpiresAt).toBe(hub.inSeconds(600));
    expect((await hub.rotate(keyId, { overlapSeconds: 60, force: true })).body.oldSecretExpiresAt).toBe(
      hub.inSeconds(60),
    );
    expect(await statesOf(keyId)).toEqual(['current', 'ended', 'ended', 'ended', 'old']);
  });

  it('ten times at once leaves the old secret and exactly one of the new ones', async () => {
    const { key, keyId } = await hub.make();
    const answers = await Promise.all(Array.from({ length: 10 }, () => hub.rotate(keyId)));
    expect(answers.filter(({ body }) => body.replacedUnused)).toHaveLength(9);
    expect(await use(key)).toBe(true);
    const accepted = await Promise.all(answers.map(({ body }) => use(body.key)));
    expect(accepted.filter(Boolean)).toHaveLength(1);
  });

  it('and revoking at once leave a revoked key, whichever came first', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { keyId } = await hub.make();
      const [rotated, revoked] = await Promise.all([
        hub.rotate(keyId),
        hub.send(hub.admin, 'DELETE', hub.pathOf(keyId)),
      ]);
      expect([200, 409]).toContain(rotated.status);
      expect(revoked.status).toBe(200);
      expect((await read(keyId)).status).toBe('revoked');
      const { verifier } = startTestVerifier(hub.database.db, { clock: hub.clock });
      if (rotated.status === 200)
        expect(await verifier.verify(rotated.body.key, '192.0.2.1')).toMatchObject({ reason: 'revoked' });
      await verifier.stop();
    }
  });

  it('is refused for an expired key', async () => {
    const { keyId } = await hub.make({ expiresAt: hub.inSeconds(10) });
    hub.clock.advanceMs(11_000);
    expect(outcomeOf(await hub.rotate(keyId))).toEqual([409, 'api_keys.expired']);
  });

  it('forgets secrets that ended more than 90 days ago', async () => {
    const { keyId } = await hub.make();
    await hub.rotate(keyId, { overlapSeconds: 0 });
    hub.clock.advanceMs(91 * 86_400_000);
    await hub.rotate(keyId);
    expect(await statesOf(keyId)).toEqual(['current', 'old']);
  });
});

describe('retiring old secrets', () => {
  it('ends them at once, warns when they were in use, and can be repeated', async () => {
    const { keyId, id } = await hub.make();
    await hub.rotate(keyId);
    const usedAt = hub.inSeconds(-3_599);
    await hub.database.owner`
      update api_key_secret set call_count = 7, last_used_at = ${usedAt} where api_key_id = ${id} and generation = 1`;
    expect((await read(keyId)).secrets[1]).toMatchObject({ calls: 7, lastUsedAt: usedAt, state: 'old' });
    const first = await hub.retireOld(keyId, { reason: 'done' });
    expect(first.body).toMatchObject({ keyId, endedSecrets: 1, oldSecretLastUsedAt: usedAt });
    expect(first.body.warning).toContain('within the last hour');
    const before = await hub.stored();
    expect((await hub.retireOld(keyId)).body).toEqual({
      keyId,
      endedSecrets: 0,
      oldSecretLastUsedAt: null,
      warning: null,
    });
    expect(await hub.stored()).toBe(before);
    expect((await read(keyId)).secrets[1]).toMatchObject({ state: 'ended' });
    expect((await hub.events(keyId)).at(-1)).toMatchObject({
      type: 'api_key.old_secrets_retired',
      metadata: { reason: 'done', endedCount: 1 },
    });
  });

  it('does not warn when they were idle, and leaves a new secret without a first use in charge', async () => {
    const { keyId } = await hub.make();
    expect((await hub.rotate(keyId, { overlapFrom: 'first_use' })).body.oldSecretExpiresAt).toBeNull();
    expect(await statesOf(keyId)).toEqual(['waiting', 'old']);
    expect((await hub.retireOld(keyId)).body).toMatchObject({ endedSecrets: 1, warning: null });
    expect(await statesOf(keyId)).toEqual(['current', 'ended']);
  });
});
