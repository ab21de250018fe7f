import type { Sql } from '@impact-hub/core';
import { otherNetwork, type Batch } from './usage-batch.ts';

/** Networks remembered of one key; calls from further ones are counted together as `other`. */
export const maxNetworksPerKey = 200;
/** Milliseconds as PostgreSQL reads them. */
const instant = (atMs: number): string => new Date(atMs).toISOString();

/**
 * Adds a batch of one process, once: a batch that the process has added before, or that comes late, changes nothing.
 * Rows of `api_key_usage` are locked in the order of their ids before anything else is written, so that processes
 * flushing the same keys wait for each other and cannot block each other. The last use only moves forward.
 */
export const addUsage = (sql: Sql, { writerId, number, atMs, keys, secrets, networks }: Batch) => sql`
  with applied as (
    insert into api_key_usage_writer as writer (id, batch, applied_at) values (${writerId}, ${number}, ${instant(atMs)})
    on conflict (id) do update set batch = excluded.batch, applied_at = excluded.applied_at
      where writer.batch < excluded.batch
    returning id
  ), used as materialized (
    select usage.* from applied cross join unnest(
      ${keys.map((key) => key.apiKeyId)}::uuid[], ${keys.map((key) => key.companyId)}::uuid[],
      ${keys.map((key) => key.calls)}::bigint[], ${keys.map((key) => key.clientErrors)}::bigint[],
      ${keys.map((key) => key.serverErrors)}::bigint[], ${keys.map((key) => key.rateLimited)}::bigint[],
      ${keys.map((key) => instant(key.lastUsedAtMs))}::timestamptz[], ${keys.map((key) => key.lastUsedIp)}::text[],
      ${keys.map((key) => key.answers)}::bigint[], ${keys.map((key) => key.lastUserAgent)}::text[]
    ) as usage (api_key_id, company_id, calls, client_errors, server_errors, rate_limited, at, ip, answers, agent)
  ), locked as materialized (
    select api_key_id from api_key_usage where api_key_id in (select api_key_id from used) order by api_key_id for update
  ), ready as materialized (
    select count(*) as keys from applied, locked
  ), used_secrets as materialized (
    select secret.* from ready cross join unnest(${secrets.map((secret) => secret.secretId)}::uuid[],
      ${secrets.map((secret) => secret.calls)}::bigint[],
      ${secrets.map((secret) => instant(secret.lastUsedAtMs))}::timestamptz[]) as secret (id, calls, at)
    where ready.keys > 0
  ), locked_secrets as materialized (
    select id from api_key_secret where id in (select id from used_secrets) order by id for no key update
  ), counted as (
    update api_key_usage as stored set
      call_count = stored.call_count + used.calls,
      client_error_count = stored.client_error_count + used.client_errors,
      server_error_count = stored.server_error_count + used.server_errors,
      rate_limited_count = stored.rate_limited_count + used.rate_limited,
      last_used_ip = case when stored.last_used_at is null or used.at >= stored.last_used_at
        then used.ip else stored.last_used_ip end,
      last_user_agent = case when used.answers > 0 and (stored.last_used_at is null or used.at >= stored.last_used_at)
        then used.agent else stored.last_user_agent end,
      last_used_at = greatest(stored.last_used_at, used.at)
    from used join locked using (api_key_id)
    where stored.api_key_id = used.api_key_id
  ), counted_secrets as (
    update api_key_secret as stored set
      call_count = stored.call_count + used_secrets.calls,
      last_used_at = greatest(stored.last_used_at, used_secrets.at)
    from used_secrets join locked_secrets using (id)
    where stored.id = used_secrets.id
  ), counted_hours as (
    insert into api_key_usage_hour as stored
      (api_key_id, hour, company_id, calls, client_errors, server_errors, rate_limited)
    select api_key_id, date_trunc('hour', ${instant(atMs)}::timestamptz, 'UTC'), company_id, calls, client_errors,
           server_errors, rate_limited
    from ready join used on ready.keys > 0
    on conflict (api_key_id, hour) do update set
      calls = stored.calls + excluded.calls,
      client_errors = stored.client_errors + excluded.client_errors,
      server_errors = stored.server_errors + excluded.server_errors,
      rate_limited = stored.rate_limited + excluded.rate_limited
  ), seen as materialized (
    select network.*, exists (select from api_key_network as known
        where known.api_key_id = network.api_key_id and known.network = network.network) as known
    from ready cross join unnest(${networks.map((network) => network.apiKeyId)}::uuid[],
      ${networks.map((network) => network.companyId)}::uuid[], ${networks.map((network) => network.network)}::text[],
      ${networks.map((network) => network.calls)}::bigint[]) as network (api_key_id, company_id, network, calls)
    where ready.keys > 0
  ), ranked as (
    select seen.*, row_number() over (partition by api_key_id, known order by calls desc, network)
        + (select count(*) from api_key_network as stored where stored.api_key_id = seen.api_key_id) as place
    from seen
  )
  insert into api_key_network as stored (api_key_id, network, company_id, first_seen_at, last_seen_at, calls,
    minute_started_at, minute_calls, peak_calls)
  select api_key_id, case when known or place <= ${maxNetworksPerKey} then network else ${otherNetwork} end, company_id,
         ${instant(atMs)}::timestamptz, ${instant(atMs)}::timestamptz, sum(calls), ${instant(atMs)}::timestamptz,
         sum(calls), sum(calls)
  from ranked group by 1, 2, 3
  on conflict (api_key_id, network) do update set
    last_seen_at = greatest(stored.last_seen_at, excluded.last_seen_at),
    calls = stored.calls + excluded.calls,
    minute_started_at = case when excluded.last_seen_at < stored.minute_started_at + interval '1 minute'
      then stored.minute_started_at else excluded.minute_started_at end,
    minute_calls = excluded.calls + case when excluded.last_seen_at < stored.minute_started_at + interval '1 minute'
      then stored.minute_calls else 0 end,
    peak_calls = greatest(stored.peak_calls, excluded.calls
      + case when excluded.last_seen_at < stored.minute_started_at + interval '1 minute' then stored.minute_calls else 0 end)`;
