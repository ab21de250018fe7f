import { coreProblems, type Tx } from '@impact-hub/core';
import { apiKeyNotFound } from '../problems.ts';
import { findApiKey } from '../repository.ts';
import { expiryStepsDays, idleAfterDays } from './find-due-reminders.ts';
import type { StatsQuery, StatsView } from './usage-schema.ts';

const [hourMs, dayMs] = [3_600_000, 86_400_000];
/** The longest range: a quarter; history is kept for 90 days. */
const maxRangeMs = 92 * dayMs;
/** Up to here the series is by hour unless asked otherwise. */
const hourlyUpToMs = 3 * dayMs;

type Range = { from: Date; to: Date; interval: 'hour' | 'day' };

/** @throws ProblemError `request.invalid` for a range that is empty or too long */
export const rangeOf = ({ from, to, interval }: StatsQuery, now: Date): Range => {
  const end = to ?? now;
  const start = from ?? new Date(end.getTime() - dayMs);
  const lengthMs = end.getTime() - start.getTime();
  if (lengthMs <= 0 || lengthMs > maxRangeMs) {
    const detail = lengthMs <= 0 ? '`from` must be before `to`.' : '`from` must be at most 92 days before `to`.';
    throw coreProblems.requestInvalid({ detail, errors: [{ pointer: '/query/from', detail }] });
  }
  const chosen = interval ?? (lengthMs > hourlyUpToMs ? 'day' : 'hour');
  const stepMs = chosen === 'day' ? dayMs : hourMs;
  return { from: new Date(Math.floor(start.getTime() / stepMs) * stepMs), to: end, interval: chosen };
};

const countKeys = async (tx: Tx, now: Date): Promise<StatsView['keys']> => {
  const [counts] = await tx.sql<StatsView['keys'][]>`
    with keys as (
      select key.*, usage.last_used_at, usage.anomaly_at,
        case when revoked_at is not null then 'revoked' when expires_at <= ${now} then 'expired'
             when enabled then 'active' else 'disabled' end as status
      from api_key as key left join api_key_usage as usage on usage.api_key_id = key.id
    ), rotating as (
      select api_key_id from api_key_secret where expires_at is null or expires_at > ${now}
      group by api_key_id having count(*) > 1
    )
    select count(*)::int as total,
      count(*) filter (where status = 'active')::int as active,
      count(*) filter (where status = 'disabled')::int as disabled,
      count(*) filter (where status = 'expired')::int as expired,
      count(*) filter (where status = 'revoked')::int as revoked,
      count(*) filter (where status = 'active'
        and expires_at <= ${now}::timestamptz + make_interval(days => ${expiryStepsDays[0]}))::int as "expiringSoon",
      count(*) filter (where status = 'active' and coalesce(last_used_at, created_at)
        <= ${now}::timestamptz - make_interval(days => ${idleAfterDays}))::int as idle,
      count(*) filter (where status = 'active' and expires_at is null)::int as "neverExpiring",
      count(*) filter (where status = 'active' and id in (select api_key_id from rotating))::int as rotating,
      count(*) filter (where anomaly_at is not null)::int as flagged
    from keys`;
  if (counts === undefined) throw new Error('an aggregate has one row');
  return counts;
};

const readSeries = async (tx: Tx, { from, to, interval }: Range, apiKeyId: string | null) =>
  tx.sql<StatsView['series'][number][]>`
    with used as (
      select date_trunc(${interval}, hour, 'UTC') as at, sum(calls) as calls, sum(client_errors) as client_errors,
             sum(server_errors) as server_errors, sum(rate_limited) as rate_limited
      from api_key_usage_hour
      where hour >= ${from} and hour < ${to} and (${apiKeyId}::uuid is null or api_key_id = ${apiKeyId})
      group by 1
    )
    select step as at, coalesce(calls, 0)::float8 as calls, coalesce(client_errors, 0)::float8 as "clientErrors",
           coalesce(server_errors, 0)::float8 as "serverErrors", coalesce(rate_limited, 0)::float8 as "rateLimited"
    from generate_series(${from}::timestamptz, ${to}::timestamptz - interval '1 microsecond', ${`1 ${interval}`}::interval, 'UTC')
      as step left join used on used.at = step
    order by step`;

const readTopKeys = async (tx: Tx, { from, to }: Range, apiKeyId: string | null) =>
  tx.sql<StatsView['topKeys'][number][]>`
    select key.key_id as "keyId", key.name, sum(calls)::float8 as calls, sum(client_errors)::float8 as "clientErrors",
           sum(server_errors)::float8 as "serverErrors", sum(rate_limited)::float8 as "rateLimited"
    from api_key_usage_hour as used join api_key as key on key.id = used.api_key_id
    where hour >= ${from} and hour < ${to} and (${apiKeyId}::uuid is null or api_key_id = ${apiKeyId})
    group by key.id order by sum(calls) desc, key.id limit 10`;

const sumOf = (series: StatsView['series']): StatsView['totals'] => {
  const totals = { calls: 0, clientErrors: 0, serverErrors: 0, rateLimited: 0 };
  for (const step of series) {
    totals.calls += step.calls;
    totals.clientErrors += step.clientErrors;
    totals.serverErrors += step.serverErrors;
    totals.rateLimited += step.rateLimited;
  }
  return totals;
};

/**
 * The company's keys counted by what they are, and their usage over time.
 * @throws ProblemError `request.invalid` for the range, `api_keys.not_found`
 */
export const readStats = async (tx: Tx, query: StatsQuery, now: Date): Promise<StatsView> => {
  const range = rangeOf(query, now);
  const found = query.keyId === undefined ? undefined : await findApiKey(tx, query.keyId);
  if (query.keyId !== undefined && found === undefined) throw apiKeyNotFound();
  const apiKeyId = found?.key.id ?? null;
  const keys = await countKeys(tx, now);
  const series = [...(await readSeries(tx, range, apiKeyId))];
  const topKeys = [...(await readTopKeys(tx, range, apiKeyId))];
  return { ...range, keys, totals: sumOf(series), series, topKeys };
};
