-- Jobs of one queue and company are dispatched in groups, and lanes take turns.

alter table job
  -- The name under which BullMQ holds the group that a dispatched job belongs to.
  add column dispatch uuid,
  -- Whose backlog must not delay the others': the sender of an event, say; null is the company as a whole.
  add column lane     uuid;

-- Leads to the queues that have something queued, to the lanes within, and to what is due in each, without reading the
-- backlog. What belongs to no company comes last.
create index job_queued_by_lane
  on job (queue, (coalesce(lane, company_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)), run_at)
  where state = 'queued';
drop index job_queued_by_time;
