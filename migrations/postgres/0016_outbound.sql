-- Outbound deliveries: connections to the partners' APIs, what is to be sent, and each attempt at it.

create table impact_in_connection (
  id                  uuid primary key,
  company_id          uuid        not null,
  partner             text        not null check (partner in ('benevity', 'goodera', 'workday')),
  -- Name of a PartnerApi (packages/impact-in/src/outbound/partner-apis.ts).
  api                 text        not null,
  name                text        not null,
  base_url            text        not null,
  -- The partner's name of the customer, where its addresses carry it.
  tenant              text,
  -- Encrypted JSON; empty once the connection is deleted.
  credentials         text        not null,
  -- Changes whenever tokens obtained before are not to be used any more.
  revision            integer     not null default 1,
  requests_per_minute integer     not null check (requests_per_minute between 1 and 60000),
  state               text        not null default 'active' check (state in ('active', 'paused', 'deleted')),
  -- Not before then is anything sent: the partner's rate limit and open circuits, for all processes.
  next_call_at        timestamptz not null default now(),
  created_at          timestamptz not null default now(),
  updated_at          timestamptz not null default now(),
  unique (id, company_id)
) with (fillfactor = 80);
create index impact_in_connection_by_company on impact_in_connection (company_id, created_at desc, id desc);

-- The sending side of an outbound delivery; `impact_in_delivery` has a row with the same id, which is what the company
-- sees. Ends with `done`, whoever decided: the partner's answer, its webhook, or the last attempt.
create table impact_in_outbound (
  delivery_id            uuid primary key references impact_in_delivery (id) on delete cascade,
  company_id             uuid        not null,
  connection_id          uuid        not null,
  partner                text        not null,
  transaction_id         text        not null,
  -- What the partner calls it, by its answer.
  partner_transaction_id text,
  -- The event, encrypted with the company's key; associated data is the id.
  sealed                 bytea       not null,
  state                  text        not null default 'waiting' check (state in ('waiting', 'sending', 'done')),
  -- Which claim is the present one: an answer to an earlier one may only add to what is known.
  generation             integer     not null default 0,
  -- Attempts since it was last given to the sender; decides about the next delay.
  tries                  integer     not null default 0,
  -- Next attempt, or the end of the lease of the one under way.
  due_at                 timestamptz not null,
  -- Whether it is sent by itself, because a call with others was refused as a whole.
  alone                  boolean     not null default false,
  -- Time of the partner's event that decided the status; null while none has.
  event_at               timestamptz,
  created_at             timestamptz not null,
  unique (connection_id, transaction_id),
  foreign key (connection_id, company_id) references impact_in_connection (id, company_id)
) with (fillfactor = 80);
create index impact_in_outbound_due on impact_in_outbound (connection_id, due_at) where state <> 'done';
create index impact_in_outbound_by_transaction on impact_in_outbound (company_id, partner, transaction_id);
create index impact_in_outbound_by_partner_transaction on impact_in_outbound (company_id, partner, partner_transaction_id)
  where partner_transaction_id is not null;
alter table impact_in_outbound alter column sealed set storage external;

-- Written before the call: `started` without an end is an attempt nobody knows the end of.
create table impact_in_outbound_attempt (
  delivery_id     uuid        not null references impact_in_outbound (delivery_id) on delete cascade,
  number          integer     not null,
  company_id      uuid        not null,
  result          text        not null default 'started' check (result in ('started', 'success', 'failure', 'unknown')),
  started_at      timestamptz not null,
  ended_at        timestamptz,
  http_status     integer,
  error_class     text,
  error           text,
  next_attempt_at timestamptz,
  -- Request and answer without secrets and personal fields, encrypted; associated data is `<delivery>/<number>`.
  sealed          bytea,
  primary key (delivery_id, number)
);

do $$
declare
  name text;
begin
  foreach name in array array['impact_in_connection', 'impact_in_outbound', 'impact_in_outbound_attempt']
  loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy %I on %I to hub_runtime using (company_id = hub_company_id())
                    with check (company_id = hub_company_id())', name || '_company', name);
  end loop;
end
$$;

grant select, insert, update on impact_in_connection to hub_runtime;
grant select, insert on impact_in_outbound to hub_runtime;
grant update (state, generation, tries, due_at, alone, event_at, partner_transaction_id) on impact_in_outbound to hub_runtime;
grant select, insert, delete on impact_in_outbound_attempt to hub_runtime;
grant update (result, ended_at, http_status, error_class, error, next_attempt_at, sealed) on impact_in_outbound_attempt to hub_runtime;

-- The sender looks for what is due across companies, and sees no more than when; it claims as the company.
create policy impact_in_connection_sender on impact_in_connection for select to hub_system using (true);
grant select (id, company_id, api, state, next_call_at) on impact_in_connection to hub_system;
create policy impact_in_outbound_sender on impact_in_outbound for select to hub_system using (true);
grant select (connection_id, state, due_at) on impact_in_outbound to hub_system;
