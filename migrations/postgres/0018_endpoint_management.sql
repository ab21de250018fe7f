-- Managing endpoints: deletion, generations of secrets, and how long ago each endpoint was heard from.

alter table impact_in_endpoint
  -- A deleted endpoint answers as one that never was; its receipts and deliveries stay.
  add column deleted_at timestamptz,
  -- Since when it claims its hint; null: since it was created. What it received before proves nothing about the claim.
  add column hint_since timestamptz,
  -- The partner is expected to send at least this often; null: nobody waits for it.
  add column expected_every_seconds integer check (expected_every_seconds between 60 and 2592000),
  -- Since when it is waited for.
  add column expected_since timestamptz,
  -- When the partner was last heard before it fell silent; null: it is not silent.
  add column silent_since timestamptz;
create index impact_in_endpoint_expected on impact_in_endpoint (id)
  where expected_every_seconds is not null and deleted_at is null;

-- Secrets that were made together, such as a client secret and the key of its tokens, end together.
alter table impact_in_endpoint_secret add column generation integer not null default 1 check (generation > 0);
create index impact_in_endpoint_secret_by_generation on impact_in_endpoint_secret (endpoint_id, generation);

-- Apart from the endpoint, so that traffic never waits for whoever changes it. Sending is noted for all processes at
-- most once every two seconds and endpoint.
create table impact_in_endpoint_heard (
  endpoint_id uuid primary key references impact_in_endpoint (id),
  company_id  uuid        not null,
  heard_at    timestamptz not null
) with (fillfactor = 50);
alter table impact_in_endpoint_heard enable row level security;
create policy impact_in_endpoint_heard_company on impact_in_endpoint_heard for select to hub_runtime
  using (company_id = hub_company_id());
create policy impact_in_endpoint_heard_system on impact_in_endpoint_heard to hub_system using (true) with check (true);
grant select on impact_in_endpoint_heard to hub_runtime;
grant select, insert, update (heard_at) on impact_in_endpoint_heard to hub_system;

-- What the hub sends to itself to try an endpoint: verified and stored like the partner's, and never processed.
alter table impact_in_receipt
  drop constraint impact_in_receipt_outcome_check,
  add constraint impact_in_receipt_outcome_check check (
    outcome in ('accepted', 'duplicate', 'conflict', 'quarantined', 'rejected', 'test'));
