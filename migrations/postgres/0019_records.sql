-- Records: refused requests that are verified again, and what is kept for how long.

-- What became of a refused or quarantined receipt when it was verified again. The receipt itself stays as it was
-- written; its delivery, if it was taken, has its id.
create table impact_in_reverification (
  receipt_id  uuid primary key,
  company_id  uuid        not null,
  -- refused may be tried again; everything else is final.
  result      text        not null
              check (result in ('refused', 'accepted', 'awaiting_confirmation', 'duplicate', 'conflict')),
  -- Why it was refused.
  reason      text,
  event_id    text,
  -- The secret that proved who sent it.
  secret_id   text,
  -- Of a duplicate or conflict: the receipt that had the event first.
  original_id uuid,
  attempts    integer     not null default 1,
  actor_kind  text        not null,
  actor_id    text        not null,
  created_at  timestamptz not null,
  updated_at  timestamptz not null
);
alter table impact_in_reverification enable row level security;
create policy impact_in_reverification_company on impact_in_reverification to hub_runtime
  using (company_id = hub_company_id()) with check (company_id = hub_company_id());
grant select, insert, update on impact_in_reverification to hub_runtime;

-- A receipt that is taken later takes part in recognising duplicates like one that was taken at once.
grant select, insert on impact_in_dedupe to hub_runtime;
