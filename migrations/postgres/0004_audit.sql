-- The audit log: append-only, partitioned by month, shaped so that sequence numbers, chains and signatures are added
-- beside the events later and no event row is ever updated.
--
-- Who could still change it, and what stops whom:
--   hub_runtime, hub_system   no privilege but INSERT (and SELECT of the own company)
--   migrating role            triggers; it does not own the tables where it may hand them to hub_audit_owner
--   superuser                 triggers that fire in every replication role, and an event trigger against DDL; it can
--                             disable these, so nothing inside the database stops a determined superuser

-- A NOLOGIN owner: nobody works as the owner by accident. Needs CREATEROLE; without it the migrating role stays owner.
do $$
begin
  create role hub_audit_owner nologin nosuperuser nobypassrls nocreatedb nocreaterole;
exception
  when duplicate_object or unique_violation then null;
  when insufficient_privilege then
    raise notice 'may not create role hub_audit_owner: the audit tables stay with %', current_user;
end $$;

-- No foreign keys: a cascade deletes although its caller lacks the privilege.
create table audit_event (
  id            uuid           not null,
  company_id    uuid,
  at            timestamptz(3) not null,
  -- The evidence: RFC 8785 canonical JSON, byte for byte. 65,535 bytes is the longest entry of a tlog-tiles bundle.
  body          bytea          not null check (octet_length(body) <= 65535),
  -- RFC 6962 section 2.1: SHA-256(0x00 || leaf)
  leaf_hash     bytea          not null check (leaf_hash = sha256('\x00'::bytea || body)),
  -- Copies of fields of the body, for searching only.
  type          text           not null check (type ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$'),
  category      text           not null
    check (category in ('authentication', 'authorization', 'data', 'admin', 'financial', 'security')),
  severity      text           not null check (severity in ('info', 'warning', 'critical')),
  result        text           not null check (result in ('success', 'failure', 'denied')),
  actor_kind    text           not null check (actor_kind in ('person', 'api_key', 'partner', 'system', 'anonymous')),
  actor_id      text           not null,
  resource_type text,
  resource_id   text,
  request_id    text,
  primary key (at, id)
) partition by range (at);

-- Every list is of one company, newest first; the rare severities and results have small indexes of their own.
create index audit_event_by_time on audit_event (company_id, at, id);
create index audit_event_by_type on audit_event (company_id, type, at, id);
create index audit_event_by_category on audit_event (company_id, category, at, id);
create index audit_event_by_actor on audit_event (company_id, actor_id, at, id);
create index audit_event_by_resource on audit_event (company_id, resource_id, at, id) where resource_id is not null;
create index audit_event_by_resource_type on audit_event (company_id, resource_type, at, id) where resource_type is not null;
create index audit_event_by_request on audit_event (company_id, request_id, at, id) where request_id is not null;
create index audit_event_by_severity on audit_event (company_id, severity, at, id) where severity <> 'info';
create index audit_event_by_result on audit_event (company_id, result, at, id) where result <> 'success';

alter table audit_event enable row level security;
create policy audit_event_company_reads on audit_event for select to hub_runtime using (company_id = hub_company_id());
create policy audit_event_company_writes on audit_event for insert to hub_runtime with check (company_id = hub_company_id());
create policy audit_event_system_writes on audit_event for insert to hub_system with check (true);
grant select, insert on audit_event to hub_runtime;
grant insert on audit_event to hub_system;

create function audit_refuse_change() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'audit events are append-only: % on % is refused', tg_op, tg_table_name using errcode = '42501';
end $$;

-- Row triggers on the parent are cloned to its partitions; ALWAYS makes them fire with session_replication_role = replica.
create trigger audit_event_append_only before update or delete on audit_event
  for each row execute function audit_refuse_change();
alter table audit_event enable always trigger audit_event_append_only;
create trigger audit_event_no_truncate before truncate on audit_event
  for each statement execute function audit_refuse_change();
alter table audit_event enable always trigger audit_event_no_truncate;

-- TRUNCATE of a partition ignores the parent's trigger, hence one on each; row-level security without a policy closes the
-- way around the parent's policies should anyone ever be granted a partition.
create function audit_protect_partition(partition text) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('alter table public.%I enable row level security', partition);
  execute format('create trigger audit_event_no_truncate before truncate on public.%I
    for each statement execute function public.audit_refuse_change()', partition);
  execute format('alter table public.%I enable always trigger audit_event_no_truncate', partition);
end $$;
revoke execute on function audit_protect_partition from public;

create table audit_event_default partition of audit_event default;
select audit_protect_partition('audit_event_default');

-- Creates the partitions from last month to `months_ahead` months from now and returns the names of the new ones. Runs as
-- the owner, so that its caller needs no right to change the schema. ATTACH instead of PARTITION OF: that would lock out
-- every writer of the parent. A month whose events already lie in the default partition keeps them there.
create function audit_ensure_partitions(months_ahead integer) returns setof text
  language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '3s' as $$
declare
  this_month constant timestamp := date_trunc('month', now() at time zone 'UTC');
  partition  text;
  starts     timestamptz;
  ends       timestamptz;
begin
  if months_ahead is null or months_ahead not between 0 and 24 then
    raise exception 'months_ahead must be between 0 and 24' using errcode = '22023';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('audit_ensure_partitions', 0));
  for offset_months in -1..months_ahead loop
    partition := 'audit_event_' || to_char(this_month + make_interval(months => offset_months), 'YYYY_MM');
    continue when to_regclass('public.' || partition) is not null;
    starts := (this_month + make_interval(months => offset_months)) at time zone 'UTC';
    ends := (this_month + make_interval(months => offset_months + 1)) at time zone 'UTC';
    if exists (select from public.audit_event_default where at >= starts and at < ends) then
      raise warning 'audit events of % stay in the default partition', partition;
      continue;
    end if;
    execute format('create table public.%I (like public.audit_event including all)', partition);
    execute format('alter table public.audit_event attach partition public.%I for values from (%L) to (%L)',
      partition, starts, ends);
    perform public.audit_protect_partition(partition);
    return next partition;
  end loop;
end $$;
revoke execute on function audit_ensure_partitions from public;
grant execute on function audit_ensure_partitions to hub_system;

select audit_ensure_partitions(3);

-- DDL on the audit log only as its owner: maintenance says SET ROLE hub_audit_owner first. The guard has a schema and an
-- owner of its own, because DROP SCHEMA public and DROP OWNED BY would take it along, unheard, before it could refuse.
create schema hub_guard;
create function hub_guard.audit_refuse_ddl() returns event_trigger
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  touched text;
begin
  if current_user = 'hub_audit_owner' then return; end if;
  if tg_event = 'sql_drop' then
    select object_identity into touched from pg_event_trigger_dropped_objects()
    where object_identity ~ '\maudit_(event|refuse|protect|ensure)' limit 1;
  else
    -- By name and by owner, since one command can change either.
    select coalesce(object_identity, objid::text) into touched from pg_event_trigger_ddl_commands() as command
    where object_identity ~ '\maudit_(event|refuse|protect|ensure)'
      or (classid = 'pg_class'::regclass
        and exists (select from pg_class where oid = command.objid and relowner = to_regrole('hub_audit_owner')))
      or (classid = 'pg_proc'::regclass
        and exists (select from pg_proc where oid = command.objid and proowner = to_regrole('hub_audit_owner')))
    limit 1;
  end if;
  if touched is not null then
    raise exception 'the audit log is append-only: % on % is refused', tg_tag, touched
      using errcode = '42501', hint = 'Maintenance works as role hub_audit_owner.';
  end if;
end $$;

-- Hands everything to the NOLOGIN owner. A migrating role that is no superuser has to be a member for that moment.
do $$
declare
  object      text;
  is_super    constant boolean := (select rolsuper from pg_roles where rolname = current_user);
begin
  if not is_super then
    execute format('grant hub_audit_owner to %I with inherit true, set true', current_user);
  end if;
  grant usage, create on schema public to hub_audit_owner;
  for object in select inhrelid::regclass::text from pg_inherits where inhparent = 'audit_event'::regclass loop
    execute format('alter table %s owner to hub_audit_owner', object);
  end loop;
  alter table audit_event owner to hub_audit_owner;
  alter function audit_refuse_change() owner to hub_audit_owner;
  alter function audit_protect_partition(text) owner to hub_audit_owner;
  alter function audit_ensure_partitions(integer) owner to hub_audit_owner;
  if not is_super then
    execute format('revoke hub_audit_owner from %I', current_user);
  end if;
exception
  when insufficient_privilege or undefined_object then
    raise notice 'the audit tables stay with %: %', current_user, sqlerrm;
end $$;

-- Event triggers need a superuser; many managed services offer none. There DETACH and DROP stay open to whoever can act as
-- the owner of the tables, of the schema or of the database, and only anchors kept elsewhere reveal them.
do $$
begin
  create event trigger audit_refuse_ddl on ddl_command_end
    when tag in ('ALTER TABLE', 'CREATE TRIGGER', 'ALTER TRIGGER', 'CREATE RULE', 'ALTER RULE', 'CREATE POLICY',
      'ALTER POLICY', 'CREATE FUNCTION', 'ALTER FUNCTION', 'ALTER ROUTINE')
    execute function hub_guard.audit_refuse_ddl();
  create event trigger audit_refuse_drop on sql_drop execute function hub_guard.audit_refuse_ddl();
  alter event trigger audit_refuse_ddl enable always;
  alter event trigger audit_refuse_drop enable always;
exception
  when insufficient_privilege then
    raise notice 'no event trigger against DETACH and DROP of audit tables: %', sqlerrm;
end $$;
