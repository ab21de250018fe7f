-- Replays: deliveries that are processed, or sent, again on request. A replay is durable work: first what it selects is
-- written down, then it is worked through in small transactions, each moving the position, the effects and the counts.

create table impact_in_replay (
  id                uuid primary key,
  company_id        uuid        not null,
  kind              text        not null check (kind in ('one', 'selection', 'window', 'retry_failed')),
  state             text        not null check (state in ('waiting', 'running', 'paused', 'done', 'cancelled', 'failed')),
  -- What a window selects; null when deliveries were named.
  filter            jsonb,
  include_succeeded boolean     not null,
  rate_per_second   integer     not null check (rate_per_second between 1 and 1000),
  -- Who asked for it and why.
  actor_kind        text        not null,
  actor_id          text        not null,
  request_id        text        not null,
  reason            text,
  -- Deliveries received later do not belong to it.
  snapshot_at       timestamptz not null,
  -- How far the selection has been written down, in the order of receipt.
  selected_to_at    timestamptz,
  selected_to_id    uuid,
  is_selected       boolean     not null default false,
  -- The last delivery that was begun, in the order of their ids.
  worked_to         uuid,
  selected          integer     not null default 0,
  in_flight         integer     not null default 0 check (in_flight >= 0),
  succeeded         integer     not null default 0,
  failed            integer     not null default 0,
  skipped           integer     not null default 0,
  -- Why nothing is begun at the moment although it is running.
  held_by           text        check (held_by in ('live_traffic', 'own_deliveries')),
  failing_since     timestamptz,
  last_error        text,
  -- Time for which it has been running.
  worked_ms         integer     not null default 0,
  -- Up to here the rate has been used up.
  rate_used_to      timestamptz,
  created_at        timestamptz not null,
  started_at        timestamptz,
  finished_at       timestamptz,
  updated_at        timestamptz not null,
  check (in_flight + succeeded + failed + skipped <= selected)
) with (fillfactor = 70);
create index impact_in_replay_by_company on impact_in_replay (company_id, created_at desc, id desc);
create index impact_in_replay_open on impact_in_replay (created_at)
  where state in ('waiting', 'running') or in_flight > 0;
-- One at a time per company; a single delivery is replayed beside it.
create unique index impact_in_replay_one_running on impact_in_replay (company_id)
  where state = 'running' and kind <> 'one';

-- Each delivery of a replay, once.
create table impact_in_replay_item (
  replay_id       uuid        not null references impact_in_replay (id) on delete cascade,
  delivery_id     uuid        not null,
  company_id      uuid        not null,
  -- selected: not yet begun; started: waits for the job that processes or sends it.
  state           text        not null default 'selected'
                  check (state in ('selected', 'started', 'succeeded', 'failed', 'skipped')),
  reason          text,
  -- The delivery's attempts when it was started; the next one decides.
  attempts_before integer,
  started_at      timestamptz,
  primary key (replay_id, delivery_id)
) with (fillfactor = 85);
create index impact_in_replay_item_told on impact_in_replay_item (replay_id, state, delivery_id)
  where state in ('started', 'failed', 'skipped');

-- Which replay caused an attempt; null for the delivery's own.
alter table impact_in_attempt add column replay_id uuid;

alter table impact_in_replay enable row level security;
create policy impact_in_replay_company on impact_in_replay to hub_runtime
  using (company_id = hub_company_id()) with check (company_id = hub_company_id());
alter table impact_in_replay_item enable row level security;
create policy impact_in_replay_item_company on impact_in_replay_item to hub_runtime
  using (company_id = hub_company_id()) with check (company_id = hub_company_id());
grant select, insert, update on impact_in_replay, impact_in_replay_item to hub_runtime;
grant update (replay_id) on impact_in_attempt to hub_runtime;

-- The leader finds out whose replays have work, and their figures; what they are about is the company's alone.
create policy impact_in_replay_open on impact_in_replay for select to hub_system using (true);
grant select (id, company_id, kind, state, in_flight, succeeded, failed, created_at, started_at, finished_at)
  on impact_in_replay to hub_system;
-- It also removes the items of replays that ended long ago.
create policy impact_in_replay_item_forget on impact_in_replay_item for delete to hub_system using (true);
create policy impact_in_replay_item_forget_read on impact_in_replay_item for select to hub_system using (true);
grant select (replay_id), delete on impact_in_replay_item to hub_system;
