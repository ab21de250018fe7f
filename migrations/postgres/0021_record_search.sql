-- Finding what needs somebody: deliveries that were given up, among the many that partners reported as failed.
create index impact_in_delivery_dead on impact_in_delivery (company_id, received_at desc, id desc)
  where outcome = 'dead';

-- Since when each field is searchable: events processed before are not found by it.
alter table impact_in_search_setting add column searchable_since jsonb not null default '{}';
update impact_in_search_setting set searchable_since =
  (select coalesce(jsonb_object_agg(field, updated_at), '{}') from unnest(fields) field);
grant update (searchable_since) on impact_in_search_setting to hub_runtime;
