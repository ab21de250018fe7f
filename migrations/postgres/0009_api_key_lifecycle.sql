-- Rotation: a key has secrets of rising generation; the highest is the current one, the others are being replaced.
-- `overlap_seconds` is set when the clock of the older secrets starts at the first use of this one. Counters are per
-- secret, so that traffic still arriving on an old one is seen.
alter table api_key_secret
  add column generation       integer not null default 1 check (generation > 0),
  add column overlap_seconds  integer check (overlap_seconds between 0 and 604800),
  add column call_count       bigint  not null default 0,
  add column last_used_at     timestamptz,
  -- Somebody found this secret in public and presented it.
  add column leak_reported_at timestamptz;
create unique index api_key_secret_generation on api_key_secret (api_key_id, generation);
drop index api_key_secret_by_key;
-- Counters change often: room for them on the page, and no dead rows in the verifier's way.
alter table api_key_secret set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

grant select (generation, overlap_seconds, call_count, last_used_at, leak_reported_at), update (leak_reported_at), delete
  on api_key_secret to hub_runtime;
-- The verifier writes down the first use of a secret, which starts the clock of the older ones, and counts.
grant select (generation, overlap_seconds, first_used_at, call_count, last_used_at),
      update (first_used_at, expires_at, call_count, last_used_at)
  on api_key_secret to hub_system;
