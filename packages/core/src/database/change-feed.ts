import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Sql } from 'postgres';
import { Counter, Gauge, type Registry } from 'prom-client';
import { shareChanges } from './change-feed-redis.ts';
import { parseChange } from './parse-change.ts';
import { changeChannel } from './write-changes.ts';
import type { Database } from './connect-database.ts';
import type { Change, Tx } from './transaction.ts';

/**
 * Tells every process that something cached has changed. The signal is a row in the changing transaction, so that it
 * commits with the change; NOTIFY and Redis carry it at once, and a poll of the sequence each second is the truth when
 * messages are lost.
 */
export type ChangeFeed = {
  /**
   * Calls `onChange(key)` for every change of `topic`, more than once for most, and `onMissed` when this process was cut
   * off for so long that changes may have been pruned before it saw them: nothing cached can be trusted then. `seq` is
   * known when the poll told.
   */
  subscribe(topic: string, onChange: (key: string, seq?: number) => void, onMissed?: () => void): void;
  /**
   * All changes up to `seq` have been told, each with its number. `asOfMs`, of the monotonic clock, is when that was
   * asked: what committed before it is among them.
   */
  position(): { seq: number; asOfMs: number };
  /** False when nothing proves that changes still arrive; caches must then read through. */
  isCurrent(): boolean;
  stop(): Promise<void>;
};

export type ChangeFeedOptions = {
  onError?(error: unknown): void;
  /** The connection for commands; a second one is made from it to listen. Left out, NOTIFY alone is fast. */
  redis?: Redis;
  metrics?: Registry;
};

const pollIntervalMs = 1_000;
/** Twice the poll: one poll may be late before caches stop being trusted (SCOPE: revocation within 2 s at most). */
const trustedForMs = 2_000;
/** A poll on a connection that hangs is left to itself, and the next one takes another connection. */
const pollTimeoutMs = 1_000;
const maxPollsAtOnce = 3;

/** Changes are kept for `changesKeptSeconds`; a process that was away for a good part of that starts afresh. */
export const changesKeptSeconds = 3_600;
const missedAfterMs = (changesKeptSeconds * 1_000) / 2;

/** Records a change of `key` under `topic`, for every process, when `tx` commits. Written as the last thing in it. */
export const publishChange = async (tx: Tx, topic: string, key: string): Promise<void> => tx.announce({ topic, key });

type Path = 'own' | 'notify' | 'redis' | 'poll';

const createFeedMetrics = (registry: Registry | undefined, isCurrent: () => boolean) => {
  const registers = registry === undefined ? [] : [registry];
  const heard = new Counter({
    name: 'change_feed_changes_total',
    help: 'Changes heard, by the way they came; each comes by several. Fewer by notify than by poll: LISTEN is broken.',
    labelNames: ['path'],
    registers,
  });
  new Gauge({
    name: 'change_feed_current',
    help: '1 while it is proven that changes arrive; at 0 every cached key is read from the database.',
    registers,
    collect() {
      this.set(isCurrent() ? 1 : 0);
    },
  });
  return (path: Path) => heard.inc({ path });
};

/** Who wants to know of which changes. A subscriber that fails stops neither the others nor the feed. */
const createSubscribers = (onError: (error: unknown) => void) => {
  const subscribers = new Map<string, ((key: string, seq?: number) => void)[]>();
  const forgetters: (() => void)[] = [];
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      onError(error);
    }
  };
  return {
    subscribe: (topic: string, onChange: (key: string, seq?: number) => void, onMissed?: () => void): void => {
      subscribers.set(topic, [...(subscribers.get(topic) ?? []), onChange]);
      if (onMissed !== undefined) forgetters.push(onMissed);
    },
    tell: ({ topic, key }: Change, seq?: number): void => {
      for (const onChange of subscribers.get(topic) ?? []) attempt(() => onChange(key, seq));
    },
    forgetAll: (): void => forgetters.forEach(attempt),
  };
};

/** When it was last proven that this process knows every change: the start of the last read that succeeded. */
const createProof = (forgetAll: () => void) => {
  let atMs = -Infinity;
  // Besides the monotonic clock, which stands still while a machine is suspended.
  let atWallMs = Date.now();
  return {
    isCurrent: (): boolean => performance.now() - atMs < trustedForMs && Math.abs(Date.now() - atWallMs) < trustedForMs,
    atMs: (): number => atMs,
    by: async (read: () => Promise<void>): Promise<void> => {
      const startedAtMs = performance.now();
      const startedAtWallMs = Date.now();
      if (startedAtWallMs - atWallMs > missedAfterMs) forgetAll();
      await read();
      // One that was overtaken proves nothing new.
      if (startedAtMs < atMs) return;
      atMs = startedAtMs;
      atWallMs = startedAtWallMs;
    },
  };
};

/** Reads the changes above the last sequence number seen. */
const createChangeReader = (sql: Sql, hear: (change: Change, seq: number) => void) => {
  let lastSeq = 0n;
  return {
    lastSeq: (): number => Number(lastSeq),
    readHead: async (): Promise<void> => {
      const [head] = await sql<{ seq: string }[]>`select coalesce(max(seq), 0)::text as seq from hub_change`;
      lastSeq = BigInt(head?.seq ?? 0);
    },
    readNew: async (): Promise<void> => {
      const rows = await sql<{ seq: string; topic: string; key: string }[]>`
        select seq::text, topic, key from hub_change where seq > ${lastSeq.toString()} order by seq`;
      for (const { seq, topic, key } of rows) {
        hear({ topic, key }, Number(seq));
        if (BigInt(seq) > lastSeq) lastSeq = BigInt(seq);
      }
    },
  };
};

const pollForever = async (poll: () => Promise<void>, signal: AbortSignal): Promise<void> => {
  let underWay = 0;
  const pollOnce = async (): Promise<void> => {
    underWay += 1;
    await poll();
    underWay -= 1;
  };
  const wait = (ms: number) => pause(ms, undefined, { signal }).catch(() => undefined);
  for (;;) {
    await wait(pollIntervalMs);
    if (signal.aborted) return;
    if (underWay < maxPollsAtOnce) await Promise.race([pollOnce(), wait(pollTimeoutMs)]);
  }
};

/** Starts listening and polling. */
export const startChangeFeed = async (
  db: Pick<Database, 'systemSql' | 'onCommitted'>,
  { onError = () => undefined, redis, metrics }: ChangeFeedOptions = {},
): Promise<ChangeFeed> => {
  const { subscribe, tell, forgetAll } = createSubscribers(onError);
  const proof = createProof(forgetAll);
  const countHeard = createFeedMetrics(metrics, proof.isCurrent);
  const hear = (path: Path, change: Change, seq?: number): void => {
    countHeard(path);
    tell(change, seq);
  };
  const changes = createChangeReader(db.systemSql, (change, seq) => hear('poll', change, seq));
  const listener = await db.systemSql.listen(changeChannel, (message) => {
    const change = parseChange(message);
    if (change !== undefined) hear('notify', change);
  });
  await proof.by(changes.readHead);
  const messages = redis === undefined ? undefined : shareChanges(redis, (change) => hear('redis', change));
  db.onCommitted((committed) => {
    for (const change of committed) {
      hear('own', change);
      messages?.publish(change);
    }
  });
  const stopping = new AbortController();
  const polling = pollForever(() => proof.by(changes.readNew).catch(onError), stopping.signal);
  return {
    subscribe,
    position: () => ({ seq: changes.lastSeq(), asOfMs: proof.atMs() }),
    isCurrent: proof.isCurrent,
    stop: async () => {
      stopping.abort();
      messages?.stop();
      await Promise.all([polling, listener.unlisten().catch(() => undefined)]);
    },
  };
};
