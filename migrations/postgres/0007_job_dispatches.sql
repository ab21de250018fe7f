-- Dispatches of a job that ended without an answer. Counted apart from `generation`, which also rises when Redis is away.
alter table job add column lost_dispatches integer not null default 0;
