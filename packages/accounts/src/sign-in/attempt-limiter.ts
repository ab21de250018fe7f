import { createHmac } from 'node:crypto';
import type { Clock, Sql } from '@impact-hub/core';

/** Attempts allowed per window, by whom they are counted. An account's own limit is wide: it can lock its owner out. */
const limits = [
  { name: 'address and account', max: 10, subject: (ip: string, email: string) => `${ip}\n${email}` },
  { name: 'account', max: 50, subject: (_ip: string, email: string) => email },
  { name: 'address', max: 100, subject: (ip: string) => ip },
] as const;

const windowMs = 15 * 60_000;

export type AttemptLimiter = {
  /**
   * Counts an attempt before it is made.
   * @returns 0 when it may go on, else the seconds to wait and whether this attempt was the first one too many
   */
  take(ip: string, email: string): Promise<{ retryAfterSeconds: number; isFirstRefusal: boolean }>;
  /** A success clears what this address did to this account. */
  clear(ip: string, email: string): Promise<void>;
};

/** Limits attempts across all processes; Postgres counts, one atomic statement per attempt. */
export const createAttemptLimiter = (options: { sql: Sql; secret: string; clock: Clock }): AttemptLimiter => {
  const { sql, secret, clock } = options;
  const bucketOf = (name: string, subject: string): string =>
    createHmac('sha256', secret).update(`sign-in limit\n${name}\n${subject}`).digest('hex');
  const buckets = (ip: string, email: string) =>
    limits.map(({ name, max, subject }) => ({ max, bucket: bucketOf(name, subject(ip, email)) }));

  return {
    take: async (ip, email) => {
      const nowMs = clock.nowMs();
      const wanted = buckets(ip, email);
      const rows = await sql<{ bucket: string; attempts: number; windowStartedAt: Date }[]>`
        insert into sign_in_limit as stored (bucket, window_started_at, attempts)
        select decode(bucket, 'hex'), ${new Date(nowMs)}, 1
        from unnest(${wanted.map(({ bucket }) => bucket)}::text[]) as bucket order by bucket
        on conflict (bucket) do update set
          attempts = case when stored.window_started_at <= ${new Date(nowMs - windowMs)} then 1 else stored.attempts + 1 end,
          window_started_at = case when stored.window_started_at <= ${new Date(nowMs - windowMs)}
            then excluded.window_started_at else stored.window_started_at end
        returning encode(bucket, 'hex') as bucket, attempts, window_started_at as "windowStartedAt"`;
      const over = rows.flatMap((row) => {
        const max = wanted.find(({ bucket }) => bucket === row.bucket)?.max ?? 0;
        return row.attempts > max ? [{ ...row, isFirst: row.attempts === max + 1 }] : [];
      });
      const waitsMs = over.map((row) => row.windowStartedAt.getTime() + windowMs - nowMs);
      return {
        retryAfterSeconds: over.length === 0 ? 0 : Math.max(1, Math.ceil(Math.max(...waitsMs) / 1_000)),
        isFirstRefusal: over.some((row) => row.isFirst),
      };
    },
    clear: async (ip, email) => {
      const [own] = buckets(ip, email);
      await sql`delete from sign_in_limit where bucket = decode(${own?.bucket ?? ''}, 'hex')`;
    },
  };
};
