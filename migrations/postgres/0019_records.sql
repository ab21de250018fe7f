-- Records: refused requests that are verified again, and what is kept for how long.

-- What became of a refused or quarantined receipt when it was verified again. The receipt itself stays as it was
-- written; its delivery, if it was taken, has its id.
create table impact_in_reverification (
  receipt_id  uuid primary key,
  company_id  uuid        not null,
  -- refused may be tried again; everything else is final.
  result      text        not null
              check (result in ('refused', 'accepted', 'awaiting_confirmation', 'duplicate', 'conflict')),
  -- Why it was refused.
  reason      text,
  event_id    text,
  -- The secret that proved who sent it.
  secret_id   text,
  -- Of a duplicate or conflict: the receipt that had the event first.
  original_id uuid,
  attempts    integer     not null default 1,
  actor_kind  text        not null,
  actor_id    text        not null,
  created_at  timestamptz not null,
  updated_at  timestamptz not null
);
alter table impact_in_reverification enable row level security;
create policy impact_in_reverification_company on impact_in_reverification to hub_runtime
  using (company_id = hub_company_id()) with check (company_id = hub_company_id());
grant select, insert, update on impact_in_reverification to hub_runtime;

-- A receipt that is taken later takes part in recognising duplicates like one that was taken at once.
grant select, insert on impact_in_dedupe to hub_runtime;

-- Retention. The functions run as the owner, so that the system role can remove what has expired and nothing else: the
-- least time that anything is kept stands here, whatever they are called with.

-- No UUIDv7 of that moment or later is smaller.
create function impact_in_first_id(at timestamptz) returns uuid language sql immutable
as $$
  select (substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-0000-0000-000000000000')::uuid
  from (select lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') as hex) h
$$;

-- Why the receipts of a day cannot go yet; null when nothing needs them. Replays and confirmations hold for 30 days at
-- most, so that nobody can keep the disk from being freed.
create function impact_in_receipt_day_held(day date) returns text
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  with bounds as (
    select public.impact_in_first_id(day::timestamp at time zone 'utc') as low,
           public.impact_in_first_id((day + 1)::timestamp at time zone 'utc') as high)
  select case
    when exists (select from public.job j, bounds where j.queue like 'impact-in.%' and j.state <> 'dead'
                 and (j.payload ->> 'receiptId')::uuid >= low and (j.payload ->> 'receiptId')::uuid < high) then 'jobs'
    when exists (select from public.impact_in_confirmation c, bounds where c.state = 'waiting'
                 and c.created_at > now() - interval '30 days' and c.receipt_id >= low and c.receipt_id < high) then 'confirmations'
    when exists (select from public.impact_in_replay r
                 where r.state in ('waiting', 'running', 'paused') and not r.is_selected and r.created_at > now() - interval '1 day')
      or exists (select from public.impact_in_replay r, public.impact_in_replay_item i, bounds
                 where r.state in ('waiting', 'running', 'paused') and r.created_at > now() - interval '30 days'
                 and i.replay_id = r.id and i.state in ('selected', 'started') and i.delivery_id >= low and i.delivery_id < high)
      then 'replays'
  end
$$;

-- The days whose receipts have expired, oldest first. Never less than a week.
create function impact_in_expired_receipt_days(keep_days integer) returns table (day date, held text)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select d.day, public.impact_in_receipt_day_held(d.day) from (
    select to_date(right(c.relname, 8), 'YYYYMMDD') as day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.impact_in_receipt'::regclass and c.relname ~ '^impact_in_receipt_\d{8}$') d
  where d.day < (now() at time zone 'utc')::date - greatest(keep_days, 7)
  order by d.day
$$;

-- How many receipts a day has: reads the smallest index, and takes no lock that anybody waits for.
create function impact_in_count_receipts(day date) returns bigint
  language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  counted bigint;
begin
  execute format('select count(*) from public.%I', 'impact_in_receipt_' || to_char(day, 'YYYYMMDD')) into counted;
  return counted;
end
$$;

-- Drops an expired day. Receipts are taken meanwhile: dropping needs the whole table for itself, so it waits for a
-- twentieth of a second at most, and what it unlinks is unlinked after its locks have gone. DETACH … CONCURRENTLY is not
-- to be had beside a default partition.
create function impact_in_drop_receipt_day(day date, keep_days integer) returns boolean
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set lock_timeout = '50ms'
as $$
begin
  if not exists (select from public.impact_in_expired_receipt_days(keep_days) e where e.day = $1 and e.held is null) then
    return false;
  end if;
  execute format('drop table public.%I', 'impact_in_receipt_' || to_char(day, 'YYYYMMDD'));
  return true;
exception when lock_not_available or deadlock_detected then
  return false;
end
$$;

-- Forgets expired events within some blocks of the table: no index by time is kept for this, which every webhook would
-- pay for. Never less than 30 days, longer than senders repeat. next_block is null at the end of the table.
create function impact_in_forget_events(first_block bigint, blocks integer, keep_days integer)
  returns table (removed bigint, next_block bigint)
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  all_blocks bigint := pg_relation_size('public.impact_in_dedupe') / current_setting('block_size')::bigint;
begin
  delete from public.impact_in_dedupe
  where ctid >= format('(%s,0)', first_block)::tid and ctid < format('(%s,0)', first_block + blocks)::tid
    and first_seen_at < now() - make_interval(days => greatest(keep_days, 30));
  get diagnostics removed = row_count;
  next_block := case when first_block + blocks < all_blocks then first_block + blocks end;
  return next;
end
$$;

-- Forgets expired deliveries with their attempts, in the order of their ids, which is that of their making. What still
-- waits to be processed, sent or replayed stays. last is null when there are no more.
create function impact_in_forget_deliveries(after uuid, batch integer, keep_days integer)
  returns table (removed bigint, last uuid)
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  seen bigint;
begin
  with candidate as materialized (
    select d.id, d.outcome from public.impact_in_delivery d
    where d.id > after and d.id < public.impact_in_first_id(now() - make_interval(days => greatest(keep_days, 30)))
    order by d.id limit batch
  ), gone as (
    delete from public.impact_in_delivery d using candidate c
    where d.id = c.id and c.outcome <> 'waiting'
      and not exists (select from public.impact_in_outbound o where o.delivery_id = c.id and o.state <> 'done')
      and not exists (
        select from public.impact_in_replay r, public.impact_in_replay_item i
        where r.state in ('waiting', 'running', 'paused') and r.created_at > now() - interval '30 days'
          and i.replay_id = r.id and i.delivery_id = c.id and i.state in ('selected', 'started'))
    returning 1
  )
  select (select count(*) from gone), (select count(*) from candidate), (select c.id from candidate c order by c.id desc limit 1)
  into removed, seen, last;
  if seen < batch then last := null; end if;
  return next;
end
$$;

-- Forgets what was decided later about receipts that are gone.
create function impact_in_forget_verdicts(batch integer, keep_days integer) returns bigint
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  bound uuid := public.impact_in_first_id(now() - make_interval(days => greatest(keep_days, 7) + 1));
  reverified bigint;
  confirmed bigint;
begin
  delete from public.impact_in_reverification where receipt_id in (
    select receipt_id from public.impact_in_reverification where receipt_id < bound limit batch);
  get diagnostics reverified = row_count;
  delete from public.impact_in_confirmation where receipt_id in (
    select receipt_id from public.impact_in_confirmation
    where receipt_id < bound and (state <> 'waiting' or created_at < now() - interval '30 days') limit batch);
  get diagnostics confirmed = row_count;
  return reverified + confirmed;
end
$$;

do $$
declare
  signature text;
begin
  foreach signature in array array[
    'impact_in_receipt_day_held(date)', 'impact_in_expired_receipt_days(integer)', 'impact_in_count_receipts(date)',
    'impact_in_drop_receipt_day(date, integer)', 'impact_in_forget_events(bigint, integer, integer)',
    'impact_in_forget_deliveries(uuid, integer, integer)', 'impact_in_forget_verdicts(integer, integer)']
  loop
    execute format('revoke all on function %s from public', signature);
    execute format('grant execute on function %s to hub_system', signature);
  end loop;
end
$$;

-- Search by fields of payloads, which are encrypted: keyed hashes of chosen fields, of endpoints whose company asks for
-- it. Without the company's key, which is encrypted like everything else, a hash says nothing, not even for a guess.
create table impact_in_search_key (
  company_id uuid primary key,
  ciphertext text        not null,
  created_at timestamptz not null default now()
);
create table impact_in_search_setting (
  endpoint_id uuid primary key references impact_in_endpoint (id),
  company_id  uuid        not null,
  -- JSON pointers.
  fields      text[]      not null check (cardinality(fields) <= 8),
  updated_at  timestamptz not null
);
create table impact_in_search_entry (
  company_id  uuid  not null,
  -- 16 bytes of HMAC-SHA256 over the field and its value.
  term        bytea not null,
  -- UUIDv7 of the receipt: newest first is the order of the index, and its time decides how long the entry is kept.
  delivery_id uuid  not null,
  primary key (company_id, term, delivery_id)
);
do $$
declare
  name text;
begin
  foreach name in array array['impact_in_search_key', 'impact_in_search_setting', 'impact_in_search_entry']
  loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy %I on %I to hub_runtime using (company_id = hub_company_id())
                    with check (company_id = hub_company_id())', name || '_company', name);
    execute format('grant select, insert on %I to hub_runtime', name);
  end loop;
end
$$;
grant update (fields, updated_at) on impact_in_search_setting to hub_runtime;

create function impact_in_forget_entries(first_block bigint, blocks integer, keep_days integer)
  returns table (removed bigint, next_block bigint)
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  all_blocks bigint := pg_relation_size('public.impact_in_search_entry') / current_setting('block_size')::bigint;
begin
  delete from public.impact_in_search_entry
  where ctid >= format('(%s,0)', first_block)::tid and ctid < format('(%s,0)', first_block + blocks)::tid
    and delivery_id < public.impact_in_first_id(now() - make_interval(days => greatest(keep_days, 30)));
  get diagnostics removed = row_count;
  next_block := case when first_block + blocks < all_blocks then first_block + blocks end;
  return next;
end
$$;
revoke all on function impact_in_forget_entries(bigint, integer, integer) from public;
grant execute on function impact_in_forget_entries(bigint, integer, integer) to hub_system;

-- How many events of the last days are in quarantine, by partner, for all companies together; those that were taken
-- later are not.
create function impact_in_quarantined(days integer) returns table (partner text, quarantined bigint)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select r.partner, count(*) from public.impact_in_receipt r
  where r.outcome = 'quarantined' and r.received_at > now() - make_interval(days => least(greatest(days, 1), 30))
    and not exists (select from public.impact_in_reverification v where v.receipt_id = r.id and v.result <> 'refused')
    and not exists (select from public.impact_in_confirmation c where c.receipt_id = r.id and c.state = 'confirmed')
  group by r.partner
$$;
revoke all on function impact_in_quarantined(integer) from public;
grant execute on function impact_in_quarantined(integer) to hub_system;
