-- API keys: what a key may do, the hashes of its secrets, and its usage, each in a table of its own so that the
-- verifier sees only what it needs and the busy counters never touch the key's row.

create table api_key (
  id                    uuid primary key,
  company_id            uuid        not null references company (id),
  key_id                text        not null unique check (key_id ~ '^[0-9A-Za-z]{12}$'),
  name                  text        not null,
  environment           text        not null check (environment in ('live', 'test')),
  scopes                text[]      not null,
  rate_limit_per_minute integer     not null default 60 check (rate_limit_per_minute > 0),
  expires_at            timestamptz,
  allowed_ips           text[]      not null default '{}',
  metadata              jsonb       not null default '{}',
  enabled               boolean     not null default true,
  created_by            text        not null,
  created_at            timestamptz not null,
  updated_at            timestamptz not null,
  revoked_at            timestamptz,
  revoked_by            text,
  revoke_reason         text,
  unique (id, company_id)
);
create index api_key_by_time on api_key (company_id, created_at desc, id desc);
alter table api_key enable row level security;
create policy api_key_company on api_key to hub_runtime
  using (company_id = hub_company_id()) with check (company_id = hub_company_id());
create policy api_key_system on api_key for select to hub_system using (true);
grant select, insert on api_key to hub_runtime;
grant update (name, enabled, rate_limit_per_minute, expires_at, allowed_ips, metadata, updated_at, revoked_at,
              revoked_by, revoke_reason) on api_key to hub_runtime;
grant select (id, company_id, key_id, environment, scopes, rate_limit_per_minute, expires_at, allowed_ips, enabled,
              revoked_at) on api_key to hub_system;

-- SHA-256 of the whole key. A key has one secret, or two while a rotation overlaps.
create table api_key_secret (
  id            uuid primary key,
  api_key_id    uuid        not null,
  company_id    uuid        not null,
  key_sha256    bytea       not null unique check (octet_length(key_sha256) = 32),
  created_at    timestamptz not null,
  first_used_at timestamptz,
  expires_at    timestamptz,
  foreign key (api_key_id, company_id) references api_key (id, company_id)
);
create index api_key_secret_by_key on api_key_secret (api_key_id);
alter table api_key_secret enable row level security;
create policy api_key_secret_company on api_key_secret to hub_runtime
  using (company_id = hub_company_id()) with check (company_id = hub_company_id());
create policy api_key_secret_system on api_key_secret to hub_system using (true) with check (true);
grant select (id, api_key_id, company_id, created_at, first_used_at, expires_at), insert on api_key_secret to hub_runtime;
grant update (expires_at) on api_key_secret to hub_runtime;
grant select (id, api_key_id, key_sha256, expires_at) on api_key_secret to hub_system;

create table api_key_usage (
  api_key_id   uuid primary key,
  company_id   uuid   not null,
  call_count   bigint not null default 0,
  last_used_at timestamptz,
  last_used_ip text,
  foreign key (api_key_id, company_id) references api_key (id, company_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
alter table api_key_usage enable row level security;
create policy api_key_usage_company on api_key_usage to hub_runtime
  using (company_id = hub_company_id()) with check (company_id = hub_company_id());
create policy api_key_usage_system on api_key_usage to hub_system using (true) with check (true);
grant select, insert on api_key_usage to hub_runtime;
grant select, update (call_count, last_used_at, last_used_ip) on api_key_usage to hub_system;
