-- What the system role needs of two tables and no more, and since when it has been listening to endpoints.

-- Why an event waits or was denied is the company's alone.
revoke select on impact_in_confirmation from hub_system;
grant select (receipt_id, company_id, state, created_at, updated_at) on impact_in_confirmation to hub_system;

-- Only of replays that have ended is anything removed.
drop policy impact_in_replay_item_forget on impact_in_replay_item;
create policy impact_in_replay_item_forget on impact_in_replay_item for delete to hub_system using (
  exists (select from impact_in_replay r where r.id = replay_id and r.finished_at is not null));

-- While nobody watched, the hub may have been away, and whoever sent has to send again first. One row.
create table impact_in_silence_watch (
  only_row        boolean primary key default true check (only_row),
  watched_at      timestamptz not null,
  -- The end of the last gap in watching.
  listening_since timestamptz not null
);
alter table impact_in_silence_watch enable row level security;
create policy impact_in_silence_watch_system on impact_in_silence_watch to hub_system using (true) with check (true);
grant select, insert, update (watched_at, listening_since) on impact_in_silence_watch to hub_system;
