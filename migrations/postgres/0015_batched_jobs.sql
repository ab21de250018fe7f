-- Jobs of one queue and company are dispatched in groups, and companies take turns.

-- The name under which BullMQ holds the group that a dispatched job belongs to.
alter table job add column dispatch uuid;

-- Leads to the queues that have something queued, to the companies within, and to what is due of each, without reading
-- the backlog. What belongs to no company comes last.
create index job_queued_by_company on job (queue, (coalesce(company_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)), run_at)
  where state = 'queued';
drop index job_queued_by_time;
