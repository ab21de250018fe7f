-- Requests per minute of a company whose limit differs from the installation's. Set by the administrator of the system
-- only; the company itself may see it.

create table company_rate_limit (
  company_id          uuid primary key references company (id),
  requests_per_minute integer     not null check (requests_per_minute > 0),
  updated_at          timestamptz not null
);
alter table company_rate_limit enable row level security;
create policy company_rate_limit_company on company_rate_limit for select to hub_runtime
  using (company_id = hub_company_id());
create policy company_rate_limit_system on company_rate_limit to hub_system using (true) with check (true);
grant select on company_rate_limit to hub_runtime;
grant select, insert, update, delete on company_rate_limit to hub_system;
