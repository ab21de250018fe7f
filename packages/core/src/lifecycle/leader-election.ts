import type { Sql } from 'postgres';
import type { Logger } from '../telemetry/logger.ts';
import { pause } from './pause.ts';

export type Leadership = { isLeader(): boolean; stop(): Promise<void> };

type Options = {
  /** The system role's pool; one of its connections is held while this process leads. */
  sql: Sql;
  /** Distinguishes elections; hashed by Postgres into the advisory lock's key. */
  name: string;
  log: Logger;
  /** Starts the work; the signal aborts when leadership ends. */
  onElected(signal: AbortSignal): Promise<void>;
  retryMs?: number;
};

/**
 * Elects one process among all that share the database, by a session-level advisory lock: it ends with the
 * connection, so a dead leader is replaced as soon as Postgres notices. The lock alone is no fence: work that must
 * never run twice has to check an epoch of its own in the same transaction.
 */
export const electLeader = ({ sql, name, log, onElected, retryMs = 2_000 }: Options): Leadership => {
  const stopping = new AbortController();
  let leading = false;

  const term = async (): Promise<void> => {
    const connection = await sql.reserve();
    const ended = new AbortController();
    try {
      const [row] = await connection<
        { won: boolean }[]
      >`select pg_try_advisory_lock(hashtextextended(${`hub:${name}`}, 0)) as won`;
      if (row?.won !== true) return;
      leading = true;
      log.info({ event: 'leader.elected', election: name }, 'elected leader');
      const work = onElected(ended.signal);
      while (!stopping.signal.aborted) {
        await pause(retryMs, stopping.signal);
        await connection`select 1`;
      }
      ended.abort();
      await work;
      await connection`select pg_advisory_unlock_all()`;
    } finally {
      leading = false;
      ended.abort();
      connection.release();
    }
  };

  const running = (async () => {
    while (!stopping.signal.aborted) {
      await term().catch((error: unknown) =>
        log.warn({ event: 'leader.lost', election: name, err: error }, 'leadership lost'),
      );
      await pause(retryMs, stopping.signal);
    }
  })();

  return {
    isLeader: () => leading,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
};
