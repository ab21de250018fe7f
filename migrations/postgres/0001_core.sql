-- Jobs (the outbox) and the change feed. Roles hub_runtime and hub_system are made by the migration runner.

grant usage on schema public to hub_runtime, hub_system;

-- The company of the current transaction; null outside one, which matches no row.
create function hub_company_id() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('hub.company_id', true), '')::uuid;

create table job (
  id          uuid primary key,
  company_id  uuid,
  queue       text        not null,
  payload     jsonb       not null,
  state       text        not null default 'queued' check (state in ('queued', 'dispatched', 'dead')),
  generation  integer     not null default 0,
  attempts    integer     not null default 0,
  run_at      timestamptz not null default now(),
  lease_until timestamptz,
  last_error  text,
  traceparent text,
  created_at  timestamptz not null default now(),
  finished_at timestamptz
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

create index job_queued_by_time on job (run_at) where state = 'queued';
create index job_dispatched_by_lease on job (lease_until) where state = 'dispatched';

alter table job enable row level security;
create policy job_company on job to hub_runtime using (company_id = hub_company_id()) with check (company_id = hub_company_id());
create policy job_system on job to hub_system using (true) with check (true);
grant select, insert, update, delete on job to hub_runtime, hub_system;

create table hub_change (
  seq   bigint generated always as identity primary key,
  topic text not null,
  key   text not null,
  at    timestamptz not null default now()
);
grant insert on hub_change to hub_runtime;
grant select, insert, delete on hub_change to hub_system;
