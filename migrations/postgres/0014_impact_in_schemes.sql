-- Schemes beside HMAC: what an endpoint's scheme needs to know, more kinds of secrets, and what keeps them safe.

-- Nothing secret: a profile, a user name, public keys.
alter table impact_in_endpoint add column settings jsonb not null default '{}';

alter table impact_in_endpoint_secret
  drop constraint impact_in_endpoint_secret_kind_check,
  add constraint impact_in_endpoint_secret_kind_check check (
    kind in ('webhook_secret', 'client_secret', 'token_key', 'password', 'url_token', 'header_token'));

-- For which body each of a partner's tokens vouched first. A bearer token does not bind the body, so one that was
-- captured could vouch for anything until it ends; in all processes it vouches for one body only.
create table impact_in_token_use (
  endpoint_id uuid        not null,
  -- SHA-256 of the token's id: fixed width, any text.
  token_key   bytea       not null,
  company_id  uuid        not null,
  body_sha256 bytea       not null,
  -- Some minutes after the token's end.
  expires_at  timestamptz not null,
  primary key (endpoint_id, token_key)
);
create index impact_in_token_use_by_end on impact_in_token_use (expires_at);
alter table impact_in_token_use enable row level security;
create policy impact_in_token_use_system on impact_in_token_use to hub_system using (true) with check (true);
grant select, insert, delete on impact_in_token_use to hub_system;

-- Events that nobody signed wait here until the partner's API has confirmed them; only then are they processed.
create table impact_in_confirmation (
  receipt_id  uuid primary key,
  company_id  uuid        not null,
  endpoint_id uuid        not null,
  partner     text        not null,
  -- waiting: not asked, or without an answer yet; confirmed: handed on; denied: the partner's API says otherwise.
  state       text        not null check (state in ('waiting', 'confirmed', 'denied')),
  -- Why it waits or was denied.
  reason      text,
  attempts    integer     not null default 0,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now()
);
create index impact_in_confirmation_waiting on impact_in_confirmation (updated_at) where state = 'waiting';
alter table impact_in_confirmation enable row level security;
create policy impact_in_confirmation_company on impact_in_confirmation to hub_runtime
  using (company_id = hub_company_id()) with check (company_id = hub_company_id());
grant select, insert, update on impact_in_confirmation to hub_runtime;
-- Asking again is for all companies.
create policy impact_in_confirmation_sweep on impact_in_confirmation for select to hub_system using (true);
grant select on impact_in_confirmation to hub_system;
