-- Companies, people, memberships, sign-in. Tables marked "sign-in" are written by better-auth through its adapter.

create table company (
  id         uuid primary key,
  name       text        not null check (length(name) between 1 and 200),
  created_at timestamptz not null default now()
);
alter table company enable row level security;
create policy company_own on company for select to hub_runtime using (id = hub_company_id());
create policy company_system on company to hub_system using (true) with check (true);
grant select on company to hub_runtime;
grant select, insert on company to hub_system;

-- A person exists once, whatever the number of companies; the membership carries the role and can be switched off.
create table person (
  id                 uuid primary key,
  email              text        not null unique check (email = lower(email)),
  name               text        not null,
  email_verified     boolean     not null default false,
  image              text,
  two_factor_enabled boolean     not null default false,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now()
);

create table membership (
  company_id  uuid        not null references company (id),
  person_id   uuid        not null references person (id),
  role        text        not null check (role in ('system_admin', 'company_admin', 'operator', 'auditor', 'viewer')),
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  disabled_at timestamptz,
  primary key (company_id, person_id)
);
create index membership_by_person on membership (person_id);
alter table membership enable row level security;
create policy membership_company on membership to hub_runtime
  using (company_id = hub_company_id()) with check (company_id = hub_company_id());
create policy membership_system on membership to hub_system using (true) with check (true);
grant select on membership to hub_runtime;
grant update (role, disabled_at, updated_at) on membership to hub_runtime;
grant select, insert on membership to hub_system;

alter table person enable row level security;
create policy person_of_company on person for select to hub_runtime using (
  exists (select 1 from membership m where m.person_id = person.id and m.company_id = hub_company_id()));
create policy person_system on person to hub_system using (true) with check (true);
grant select (id, email, name, two_factor_enabled, created_at) on person to hub_runtime;
grant select, insert, update on person to hub_system;

-- Sign-in. Only the SHA-256 of the token in the cookie is stored.
create table session (
  id         uuid primary key,
  person_id  uuid        not null references person (id),
  token_hash text        not null unique,
  expires_at timestamptz not null,
  ip_address text,
  user_agent text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index session_by_person on session (person_id);
create index session_by_expiry on session (expires_at);
alter table session enable row level security;
create policy session_of_company on session to hub_runtime using (
  exists (select 1 from membership m where m.person_id = session.person_id and m.company_id = hub_company_id()));
create policy session_system on session to hub_system using (true) with check (true);
grant select (id, person_id, expires_at, ip_address, user_agent, created_at), delete on session to hub_runtime;
grant select, insert, update, delete on session to hub_system;

-- Sign-in: one row per way of signing in; `credential` holds the scrypt hash, an OIDC row only the subject.
create table sign_in_account (
  id                       uuid primary key,
  person_id                uuid        not null references person (id),
  provider_id              text        not null,
  issuer                   text        not null,
  account_id               text        not null,
  password                 text,
  access_token             text,
  refresh_token            text,
  id_token                 text,
  access_token_expires_at  timestamptz,
  refresh_token_expires_at timestamptz,
  scope                    text,
  created_at               timestamptz not null default now(),
  updated_at               timestamptz not null default now(),
  unique (issuer, account_id)
);
create index sign_in_account_by_person on sign_in_account (person_id);
alter table sign_in_account enable row level security;
create policy sign_in_account_system on sign_in_account to hub_system using (true) with check (true);
grant select, insert, update, delete on sign_in_account to hub_system;

-- Sign-in: short-lived values (OIDC state, second-factor challenges).
create table sign_in_verification (
  id         uuid primary key,
  identifier text        not null,
  value      text        not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index sign_in_verification_by_identifier on sign_in_verification (identifier);
alter table sign_in_verification enable row level security;
create policy sign_in_verification_system on sign_in_verification to hub_system using (true) with check (true);
grant select, insert, update, delete on sign_in_verification to hub_system;

-- Sign-in: TOTP secrets and backup codes, encrypted by better-auth under the hub's sign-in secret.
create table two_factor (
  id                        uuid primary key,
  person_id                 uuid    not null references person (id),
  secret                    text    not null,
  backup_codes              text    not null,
  verified                  boolean not null default true,
  failed_verification_count integer not null default 0,
  locked_until              timestamptz
);
create index two_factor_by_person on two_factor (person_id);
create index two_factor_by_secret on two_factor (secret);
alter table two_factor enable row level security;
create policy two_factor_system on two_factor to hub_system using (true) with check (true);
grant select, insert, update, delete on two_factor to hub_system;

-- Attempts per bucket (keyed hash of address, account or both) and window, shared by all processes.
create table sign_in_limit (
  bucket            bytea       primary key check (octet_length(bucket) = 32),
  window_started_at timestamptz not null,
  attempts          integer     not null
);
create index sign_in_limit_by_window on sign_in_limit (window_started_at);
alter table sign_in_limit enable row level security;
create policy sign_in_limit_system on sign_in_limit to hub_system using (true) with check (true);
grant select, insert, update, delete on sign_in_limit to hub_system;

-- An offer of a role to an address. Nobody becomes a member, and no account is touched, before it is accepted.
create table invitation (
  id          uuid primary key,
  company_id  uuid        not null references company (id),
  email       text        not null check (email = lower(email)),
  name        text        not null,
  role        text        not null check (role in ('system_admin', 'company_admin', 'operator', 'auditor', 'viewer')),
  token_hash  bytea       not null unique check (octet_length(token_hash) = 32),
  invited_by  text        not null,
  created_at  timestamptz not null,
  expires_at  timestamptz not null,
  accepted_at timestamptz,
  revoked_at  timestamptz
);
create index invitation_by_time on invitation (company_id, created_at desc, id desc);
alter table invitation enable row level security;
create policy invitation_company on invitation to hub_runtime
  using (company_id = hub_company_id()) with check (company_id = hub_company_id());
create policy invitation_system on invitation to hub_system using (true) with check (true);
grant select (id, company_id, email, name, role, invited_by, created_at, expires_at, accepted_at, revoked_at), insert
  on invitation to hub_runtime;
grant update (revoked_at) on invitation to hub_runtime;
grant select, insert, update (accepted_at) on invitation to hub_system;
