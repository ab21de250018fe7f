-- Answers to changes that were sent with an Idempotency-Key. A row commits together with the change it answers, so its
-- presence says that the change was made. Neither the key nor the answer can be read from it: the key is a keyed hash,
-- the answer is sealed under a key that takes the caller's own Idempotency-Key to derive.
create table idempotency_record (
  company_id  uuid        not null references company (id) on delete cascade,
  -- Who sent it: `key:<key id>` or `person:<person id>`.
  caller      text        not null check (length(caller) <= 64),
  key_hash    bytea       not null check (octet_length(key_hash) = 32),
  -- SHA-256 of method, route, parameters and body.
  fingerprint bytea       not null check (octet_length(fingerprint) = 32),
  status      smallint    not null check (status between 200 and 499),
  -- Headers and body; null when they were too large to keep.
  sealed      bytea,
  answered_at timestamptz not null,
  expires_at  timestamptz not null,
  primary key (company_id, caller, key_hash)
);
create index idempotency_record_by_expiry on idempotency_record (expires_at);
alter table idempotency_record enable row level security;
create policy idempotency_record_company on idempotency_record to hub_runtime
  using (company_id = hub_company_id()) with check (company_id = hub_company_id());
create policy idempotency_record_system on idempotency_record to hub_system using (true) with check (true);
-- An expired row is overwritten when its key is used again; the statement itself asks for the expiry.
grant select, insert, update (fingerprint, status, sealed, answered_at, expires_at)
  on idempotency_record to hub_runtime, hub_system;
-- Removes what has expired.
grant delete on idempotency_record to hub_system;
