-- Data keys, one series of versions per company and purpose, each wrapped by the root key that the database never sees.
-- No foreign key to the company: keys end by an explicit state, never as a side effect of another deletion.

create table crypto_key (
  company_id     uuid        not null,
  kid            uuid        not null,
  version        integer     not null check (version >= 1),
  purpose        text        not null check (purpose ~ '^[a-z][a-z0-9_.]{0,63}$'),
  -- NIST SP 800-57 part 1, section 7: active seals and opens, deactivated only opens, destroyed has no key bytes left.
  state          text        not null default 'active' check (state in ('active', 'deactivated', 'destroyed')),
  -- nonce 24, key 32, tag 16
  wrapped        bytea       check (octet_length(wrapped) = 72),
  root_key_id    text        not null,
  created_at     timestamptz not null default now(),
  deactivated_at timestamptz,
  destroyed_at   timestamptz,
  primary key (company_id, kid, version),
  constraint crypto_key_series unique (company_id, purpose, version),
  constraint crypto_key_destroyed_has_no_bytes check ((state = 'destroyed') = (wrapped is null))
);

create unique index crypto_key_one_active on crypto_key (company_id, purpose) where state = 'active';

alter table crypto_key enable row level security;
create policy crypto_key_company on crypto_key to hub_runtime
  using (company_id = hub_company_id()) with check (company_id = hub_company_id());

-- Key bytes can be added and read, never replaced; only the state moves on.
grant select on crypto_key to hub_runtime;
grant insert (company_id, kid, version, purpose, wrapped, root_key_id, created_at) on crypto_key to hub_runtime;
grant update (state, deactivated_at) on crypto_key to hub_runtime;
