-- Impact-In: partner endpoints, the durable inbox, and deliveries.

create table impact_in_endpoint (
  id                uuid primary key,
  company_id        uuid        not null,
  partner           text        not null check (partner in ('benevity', 'goodera', 'workday')),
  name              text        not null,
  scheme            text        not null,
  state             text        not null default 'active' check (state in ('active', 'paused')),
  -- The account the partner names in its payloads; only the bare receiver addresses need it.
  hint              text,
  tolerance_seconds integer     not null default 300 check (tolerance_seconds between 30 and 900),
  body_limit_bytes  integer     not null default 262144 check (body_limit_bytes between 1024 and 1048576),
  -- Networks that may send; null means any.
  allowed_networks  text[],
  created_at        timestamptz not null default now(),
  updated_at        timestamptz not null default now()
);
create index impact_in_endpoint_by_company on impact_in_endpoint (company_id, created_at desc, id desc);

create table impact_in_endpoint_secret (
  id              uuid primary key,
  endpoint_id     uuid        not null references impact_in_endpoint (id),
  company_id      uuid        not null,
  kind            text        not null check (kind in ('webhook_secret', 'client_secret', 'token_key')),
  ciphertext      text        not null,
  state           text        not null default 'active' check (state in ('active', 'retired')),
  not_after       timestamptz,
  last_matched_at timestamptz,
  created_at      timestamptz not null default now()
);
create index impact_in_endpoint_secret_by_endpoint on impact_in_endpoint_secret (endpoint_id) where state = 'active';

-- What has been taken already. Apart from the receipts, because a unique index on a partitioned table would have to
-- contain the day, and the same event must be recognised on another day. No foreign keys: they would lock the
-- endpoint's row once per request.
create table impact_in_dedupe (
  endpoint_id   uuid        not null,
  -- SHA-256 of the signed event id, else of the body: fixed width, any bytes.
  dedupe_key    bytea       not null,
  company_id    uuid        not null,
  receipt_id    uuid        not null,
  body_sha256   bytea       not null,
  first_seen_at timestamptz not null,
  primary key (endpoint_id, dedupe_key)
) with (autovacuum_vacuum_insert_scale_factor = 0.05);

-- Everything that arrived, refused requests included. Written once, never changed. `received_at` is the millisecond
-- inside the UUIDv7 `id`, so that an id alone finds its day.
create table impact_in_receipt (
  id             uuid        not null,
  received_at    timestamptz not null,
  company_id     uuid        not null,
  endpoint_id    uuid        not null,
  partner        text        not null,
  outcome        text        not null check (outcome in ('accepted', 'duplicate', 'conflict', 'quarantined', 'rejected')),
  reason         text,
  event_id       text,
  event_type     text,
  correlation_id text,
  entity_key     text,
  -- The secret or OAuth client that proved who sent it.
  secret_id      text,
  request_id     text        not null,
  -- The receipt that had the event first; the body of a duplicate is stored there only, being the same bytes.
  original_id    uuid,
  body_bytes     integer     not null,
  -- From arrival until the row went to the database.
  latency_ms     real        not null,
  -- Headers, address and raw body, encrypted with the company's key; associated data is the id.
  sealed         bytea,
  -- Serves the lists as well: one index less to write per webhook.
  primary key (company_id, received_at, id)
) partition by range (received_at);
create index impact_in_receipt_not_accepted on impact_in_receipt (company_id, outcome, received_at desc, id desc)
  where outcome <> 'accepted';
-- Encrypted bytes do not compress.
alter table impact_in_receipt alter column sealed set storage external;

-- Takes rows for which no day exists, so that missing DDL can never refuse a webhook.
create table impact_in_receipt_default partition of impact_in_receipt default with (toast_tuple_target = 8160);
alter table impact_in_receipt_default enable row level security;

-- Makes the partitions of today and the days ahead, and moves what the default partition holds of them. ATTACH, unlike
-- CREATE … PARTITION OF, does not lock out writers. A day that cannot be made now is left for the next call.
create function impact_in_create_receipt_days(days_ahead integer) returns integer
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set lock_timeout = '2s'
as $$
declare
  first_day date := (now() at time zone 'utc')::date;
  day date;
  day_from timestamptz;
  day_to timestamptz;
  name text;
  made integer := 0;
begin
  perform pg_advisory_xact_lock(hashtextextended('impact_in_create_receipt_days', 0));
  for day in
    select generate_series(first_day, first_day + least(greatest(days_ahead, 0), 60), interval '1 day')::date
    union
    select distinct (received_at at time zone 'utc')::date from public.impact_in_receipt_default
  loop
    name := 'impact_in_receipt_' || to_char(day, 'YYYYMMDD');
    continue when to_regclass('public.' || name) is not null;
    day_from := day::timestamp at time zone 'utc';
    day_to := (day + 1)::timestamp at time zone 'utc';
    begin
      execute format('create table public.%I (like public.impact_in_receipt including all) with (toast_tuple_target = 8160)', name);
      execute format('alter table public.%I enable row level security', name);
      execute format(
        'with moved as (delete from public.impact_in_receipt_default where received_at >= %L and received_at < %L returning *)
         insert into public.%I select * from moved', day_from, day_to, name);
      execute format(
        'alter table public.impact_in_receipt attach partition public.%I for values from (%L) to (%L)', name, day_from, day_to);
      made := made + 1;
    exception when lock_not_available or check_violation or deadlock_detected then
      raise warning 'receipt partition % has to wait: %', name, sqlerrm;
    end;
  end loop;
  return made;
end
$$;
revoke all on function impact_in_create_receipt_days(integer) from public;
grant execute on function impact_in_create_receipt_days(integer) to hub_system;
select impact_in_create_receipt_days(7);

-- One exchange with a partner as the company sees it. An inbound delivery has the id of its receipt.
create table impact_in_delivery (
  id             uuid primary key,
  company_id     uuid        not null,
  direction      text        not null check (direction in ('inbound', 'outbound')),
  partner        text        not null,
  endpoint_id    uuid,
  event_id       text,
  event_type     text        not null,
  correlation_id text,
  entity_key     text,
  -- Where the exchange stands. Open (pending, retrying) ones are settled by later events of the same entity.
  status         text        not null check (status in ('pending', 'success', 'failed', 'retrying')),
  -- What this event itself reported; null until it has been processed.
  reported       text        check (reported in ('pending', 'success', 'failed', 'retrying')),
  -- applied: the newest of its entity when processed; superseded: a newer one had been processed before;
  -- waiting: processing failed and will be tried again; dead: processing was given up.
  outcome        text        not null check (outcome in ('applied', 'superseded', 'waiting', 'dead')),
  attempts       integer     not null default 0,
  occurred_at    timestamptz,
  received_at    timestamptz not null,
  processed_at   timestamptz,
  -- The later delivery that settled this one.
  settled_by     uuid,
  last_error     text,
  updated_at     timestamptz not null default now()
) with (fillfactor = 85);
create index impact_in_delivery_by_time on impact_in_delivery (company_id, received_at desc, id desc);
create index impact_in_delivery_by_status on impact_in_delivery (company_id, status, received_at desc, id desc);
create index impact_in_delivery_by_partner on impact_in_delivery (company_id, partner, received_at desc, id desc);
create index impact_in_delivery_by_event on impact_in_delivery (company_id, event_id) where event_id is not null;
create index impact_in_delivery_by_correlation on impact_in_delivery (company_id, correlation_id, received_at desc, id desc)
  where correlation_id is not null;

-- Each try at processing or sending a delivery; append-only.
create table impact_in_attempt (
  delivery_id uuid        not null references impact_in_delivery (id) on delete cascade,
  number      integer     not null,
  company_id  uuid        not null,
  result      text        not null check (result in ('success', 'failure')),
  error       text,
  at          timestamptz not null default now(),
  primary key (delivery_id, number)
);

do $$
declare
  name text;
begin
  foreach name in array array['impact_in_endpoint', 'impact_in_endpoint_secret', 'impact_in_dedupe',
                              'impact_in_receipt', 'impact_in_delivery', 'impact_in_attempt']
  loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy %I on %I to hub_runtime using (company_id = hub_company_id())
                    with check (company_id = hub_company_id())', name || '_company', name);
  end loop;
end
$$;

grant select, insert, update on impact_in_endpoint, impact_in_endpoint_secret to hub_runtime;
grant select on impact_in_receipt to hub_runtime;
grant select, insert, update on impact_in_delivery to hub_runtime;
grant select, insert on impact_in_attempt to hub_runtime;

-- Ingest knows no company before it has verified, so the endpoint directory reads across companies …
create policy impact_in_endpoint_directory on impact_in_endpoint for select to hub_system using (true);
create policy impact_in_endpoint_secret_directory on impact_in_endpoint_secret for select to hub_system using (true);
create policy impact_in_endpoint_secret_matched on impact_in_endpoint_secret for update to hub_system using (true);
grant select on impact_in_endpoint, impact_in_endpoint_secret to hub_system;
grant update (last_matched_at) on impact_in_endpoint_secret to hub_system;
-- … and one batch holds rows of many companies. It can add, and see what it needs to recognise duplicates, no more.
create policy impact_in_dedupe_ingest_read on impact_in_dedupe for select to hub_system using (true);
create policy impact_in_dedupe_ingest on impact_in_dedupe for insert to hub_system with check (true);
create policy impact_in_receipt_ingest on impact_in_receipt for insert to hub_system with check (true);
grant select, insert on impact_in_dedupe to hub_system;
grant insert on impact_in_receipt to hub_system;
