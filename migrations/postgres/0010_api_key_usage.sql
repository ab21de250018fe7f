-- Usage of keys: counters, a history by hour, the networks a key is used from, and the reminders sent. All of it is
-- written by one statement per second and process, which locks the rows of api_key_usage in the order of their ids
-- first; that row guards everything else kept of its key. No foreign keys to api_key: they would take locks there in
-- the middle of the statement, in whose way a change of the key stands.

alter table api_key_usage
  add column client_error_count bigint not null default 0,
  add column server_error_count bigint not null default 0,
  add column rate_limited_count bigint not null default 0,
  add column last_user_agent    text,
  -- The latest anomaly that nobody has dismissed.
  add column anomaly_network    text,
  add column anomaly_calls      bigint,
  add column anomaly_at         timestamptz;
grant update (anomaly_network, anomaly_calls, anomaly_at) on api_key_usage to hub_runtime;
grant update (client_error_count, server_error_count, rate_limited_count, last_user_agent, anomaly_network, anomaly_calls,
              anomaly_at)
  on api_key_usage to hub_system;

-- The last batch that each process has added, so that a batch whose commit was never confirmed is added once.
create table api_key_usage_writer (
  id         uuid primary key,
  batch      bigint      not null,
  applied_at timestamptz not null
) with (fillfactor = 50);
grant select, insert, update, delete on api_key_usage_writer to hub_system;

create table api_key_usage_hour (
  api_key_id    uuid        not null,
  hour          timestamptz not null,
  company_id    uuid        not null,
  calls         bigint      not null,
  client_errors bigint      not null,
  server_errors bigint      not null,
  rate_limited  bigint      not null,
  primary key (api_key_id, hour)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index api_key_usage_hour_by_company on api_key_usage_hour (company_id, hour);
create index api_key_usage_hour_by_time on api_key_usage_hour using brin (hour);
alter table api_key_usage_hour enable row level security;
create policy api_key_usage_hour_company on api_key_usage_hour for select to hub_runtime
  using (company_id = hub_company_id());
create policy api_key_usage_hour_system on api_key_usage_hour to hub_system using (true) with check (true);
grant select on api_key_usage_hour to hub_runtime;
grant select, insert, update, delete on api_key_usage_hour to hub_system;

-- IPv4 /24 and IPv6 /48. `minute_*` counts within the current minute since `minute_started_at`; `peak_calls` is the
-- most that one minute has held.
create table api_key_network (
  api_key_id        uuid        not null,
  network           text        not null,
  company_id        uuid        not null,
  first_seen_at     timestamptz not null,
  last_seen_at      timestamptz not null,
  calls             bigint      not null,
  minute_started_at timestamptz not null,
  minute_calls      bigint      not null,
  peak_calls        bigint      not null,
  flagged_at        timestamptz,
  primary key (api_key_id, network)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index api_key_network_by_first_seen on api_key_network (first_seen_at);
alter table api_key_network enable row level security;
create policy api_key_network_company on api_key_network for select to hub_runtime using (company_id = hub_company_id());
create policy api_key_network_system on api_key_network to hub_system using (true) with check (true);
grant select on api_key_network to hub_runtime;
grant select, insert, update, delete on api_key_network to hub_system;

-- One row per reminder sent: the primary key is what makes it once.
create table api_key_reminder (
  api_key_id uuid        not null,
  reason     text        not null check (reason in ('expires_soon', 'idle', 'never_expires')),
  step       text        not null,
  company_id uuid        not null,
  at         timestamptz not null,
  primary key (api_key_id, reason, step)
);
create index api_key_reminder_by_time on api_key_reminder (at);
alter table api_key_reminder enable row level security;
create policy api_key_reminder_company on api_key_reminder for select to hub_runtime using (company_id = hub_company_id());
create policy api_key_reminder_system on api_key_reminder to hub_system using (true) with check (true);
grant select on api_key_reminder to hub_runtime;
grant select, insert, delete on api_key_reminder to hub_system;
grant select (name, created_at) on api_key to hub_system;
