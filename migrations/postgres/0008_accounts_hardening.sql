-- Releasing an address switches the memberships of whoever took it off, in all companies at once.
grant update (disabled_at, updated_at) on membership to hub_system;

-- The last time step whose TOTP code was accepted: a code counts once (RFC 6238 §5.2).
alter table two_factor add column last_accepted_step integer;
