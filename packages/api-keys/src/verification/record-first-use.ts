import { recordAudit } from '@impact-hub/audit';
import { publishChange, type Database } from '@impact-hub/core';
import { apiKeyTopic } from '../repository.ts';

/** A secret that had not been used when it was read. */
export type UnusedSecret = { secretId: string; apiKeyId: string; keyId: string; companyId: string };

export type FirstUseRecorder = {
  /** The secret has been accepted. Returns at once; the write follows and is tried again until it succeeds. */
  note(secret: UnusedSecret, atMs: number): void;
  /** Waits for the writes under way, without trying failed ones again. */
  stop(): Promise<void>;
};

type Pending = { secret: UnusedSecret; atMs: number; failures: number };

/** Between tries of a failing write; doubles up to the second. */
const [firstRetryMs, lastRetryMs] = [200, 10_000];

/**
 * Writes down the first use of a secret. When its rotation counts the overlap from here, the older secrets end that
 * much later, never later than they would have otherwise. Whoever comes second, in whichever process, changes nothing.
 */
export const recordFirstUse = (db: Pick<Database, 'system'>, secret: UnusedSecret, at: Date): Promise<void> =>
  db.system(async (tx) => {
    const { secretId, apiKeyId, keyId, companyId } = secret;
    // In the order in which rotation locks them.
    await tx.sql`select id from api_key_secret where api_key_id = ${apiKeyId} order by id for update`;
    const [used] = await tx.sql<{ generation: number; overlapSeconds: number | null; isNewest: boolean }[]>`
      update api_key_secret as used set first_used_at = ${at} where id = ${secretId} and first_used_at is null
      returning generation, overlap_seconds as "overlapSeconds", not exists (
        select from api_key_secret as newer
        where newer.api_key_id = ${apiKeyId} and newer.generation > used.generation) as "isNewest"`;
    // A secret that was replaced before this was written says nothing of whether its successor has arrived.
    if (used === undefined || used.overlapSeconds === null || !used.isNewest) return;
    const endsAt = new Date(at.getTime() + used.overlapSeconds * 1_000);
    const ending = await tx.sql<{ expiresAt: Date }[]>`
      update api_key_secret as old set expires_at = least(old.expires_at, key.expires_at, ${endsAt})
      from api_key as key
      where key.id = old.api_key_id and old.api_key_id = ${apiKeyId} and old.generation < ${used.generation}
        and (old.expires_at is null or old.expires_at > ${at})
      returning old.expires_at as "expiresAt"`;
    if (ending.length === 0) return;
    await recordAudit(tx, {
      type: 'api_key.rotated_secret_used',
      category: 'security',
      companyId,
      actor: { kind: 'api_key', id: keyId },
      resource: { type: 'api_key', id: keyId },
      changes: { oldSecretExpiresAt: { from: null, to: ending[0]?.expiresAt ?? null } },
      metadata: { firstUsedAt: at, overlapSeconds: used.overlapSeconds },
    });
    await publishChange(tx, apiKeyTopic, keyId);
  });

/**
 * Writes first uses beside the requests that cause them. Each is kept in memory, with the moment it happened, until
 * it is written; when the process ends before, the next use takes its place, so that an old secret can only live
 * longer by that, never end too early.
 */
export const createFirstUseRecorder = (options: {
  db: Pick<Database, 'system'>;
  onError(error: unknown): void;
}): FirstUseRecorder => {
  const { db, onError } = options;
  const pending = new Map<string, Pending>();
  const writes = new Set<Promise<void>>();
  const timers = new Set<NodeJS.Timeout>();
  let stopped = false;

  const retryLater = (entry: Pending): void => {
    entry.failures += 1;
    const delayMs = Math.min(lastRetryMs, firstRetryMs * 2 ** (entry.failures - 1));
    const timer = setTimeout(() => {
      timers.delete(timer);
      start(entry);
    }, delayMs);
    timer.unref();
    timers.add(timer);
  };

  const start = (entry: Pending): void => {
    const write = recordFirstUse(db, entry.secret, new Date(entry.atMs))
      .then(() => void pending.delete(entry.secret.secretId))
      .catch((error: unknown) => {
        onError(error);
        if (!stopped) retryLater(entry);
      })
      .finally(() => writes.delete(write));
    writes.add(write);
  };

  return {
    note: (secret, atMs) => {
      if (stopped || pending.has(secret.secretId)) return;
      const entry = { secret, atMs, failures: 0 };
      pending.set(secret.secretId, entry);
      start(entry);
    },
    stop: async () => {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(writes);
    },
  };
};
