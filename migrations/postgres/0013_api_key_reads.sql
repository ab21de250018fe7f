-- What a company reads of its keys is found by company, so that it costs nobody more when others have many; what is
-- thrown away is found by time; and the runtime login keeps to what it uses.

create index api_key_secret_by_company on api_key_secret (company_id, api_key_id, generation);

-- Moves with every flush of the counters: a B-tree would have to be written each time, a BRIN leaves updates in place.
create index api_key_network_by_last_seen on api_key_network using brin (last_seen_at);

-- The first key of an embedded installation is given the scopes of later releases.
grant update (scopes) on api_key to hub_runtime;

-- Read by the system login only.
revoke select on api_key_network, api_key_reminder, company_rate_limit from hub_runtime;
drop policy api_key_network_company on api_key_network;
drop policy api_key_reminder_company on api_key_reminder;
drop policy company_rate_limit_company on company_rate_limit;
