import type { Sql } from 'postgres';
import type { Tx } from './transaction.ts';

/**
 * Tells every process that something cached has changed. The signal is a row in the changing transaction, so that it
 * commits with the change; NOTIFY carries it at once, and a poll of the sequence each second is the truth when
 * notifications are lost.
 */
export type ChangeFeed = {
  /**
   * Calls `onChange(key)` for every change of `topic`, and `onMissed` when this process was cut off for so long that
   * changes may have been pruned before it saw them: nothing cached can be trusted then.
   */
  subscribe(topic: string, onChange: (key: string) => void, onMissed?: () => void): void;
  /** False when nothing proves that changes still arrive; caches must then read through. */
  isCurrent(): boolean;
  stop(): Promise<void>;
};

const channel = 'hub_change';
const pollIntervalMs = 1_000;
/** Twice the poll: one poll may be late before caches stop being trusted (SCOPE: revocation within 2 s at most). */
const trustedForMs = 2_000;

/** Changes are kept for `changesKeptSeconds`; a process that was away for a good part of that starts afresh. */
export const changesKeptSeconds = 3_600;
const missedAfterMs = (changesKeptSeconds * 1_000) / 2;

/** Serialises writers, so that sequence order is commit order and a poll can never step over a late commit. */
const changeLockKey = 4_801_002_118;

/** Records a change of `key` under `topic`, for every process, when `tx` commits. */
export const publishChange = async (tx: Tx, topic: string, key: string): Promise<void> => {
  await tx.sql`select pg_advisory_xact_lock(${changeLockKey})`;
  await tx.sql`insert into hub_change (topic, key) values (${topic}, ${key})`;
  await tx.sql`select pg_notify(${channel}, ${JSON.stringify([topic, key])})`;
};

/** Starts listening and polling. @param sql the system role's pool */
export const startChangeFeed = async (
  sql: Sql,
  onError: (error: unknown) => void = () => undefined,
): Promise<ChangeFeed> => {
  const subscribers = new Map<string, ((key: string) => void)[]>();
  const forgetters: (() => void)[] = [];
  const tell = (topic: string, key: string) => {
    for (const onChange of subscribers.get(topic) ?? []) onChange(key);
  };

  let lastSeq: bigint | undefined;
  let provenAtMs = 0;
  // Besides the monotonic clock, which stands still while a machine is suspended.
  let provenAtWallMs = Date.now();
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const poll = async (): Promise<void> => {
    const startedAtMs = performance.now();
    const startedAtWallMs = Date.now();
    if (startedAtWallMs - provenAtWallMs > missedAfterMs) for (const forget of forgetters) forget();
    if (lastSeq === undefined) {
      const [head] = await sql<{ seq: string }[]>`select coalesce(max(seq), 0)::text as seq from hub_change`;
      lastSeq = BigInt(head?.seq ?? 0);
    } else {
      const rows = await sql<{ seq: string; topic: string; key: string }[]>`
        select seq::text, topic, key from hub_change where seq > ${lastSeq.toString()} order by seq`;
      for (const row of rows) {
        tell(row.topic, row.key);
        lastSeq = BigInt(row.seq);
      }
    }
    provenAtMs = startedAtMs;
    provenAtWallMs = startedAtWallMs;
  };

  const pollForever = async (): Promise<void> => {
    await poll().catch(onError);
    if (!stopped) timer = setTimeout(() => void pollForever(), pollIntervalMs);
  };

  const listener = await sql.listen(channel, (message) => {
    const [topic, key] = JSON.parse(message) as [string, string];
    tell(topic, key);
  });
  await poll();
  timer = setTimeout(() => void pollForever(), pollIntervalMs);

  return {
    subscribe: (topic, onChange, onMissed) => {
      subscribers.set(topic, [...(subscribers.get(topic) ?? []), onChange]);
      if (onMissed !== undefined) forgetters.push(onMissed);
    },
    isCurrent: () =>
      performance.now() - provenAtMs < trustedForMs && Math.abs(Date.now() - provenAtWallMs) < trustedForMs,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await listener.unlisten().catch(() => undefined);
    },
  };
};
