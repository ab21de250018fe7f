#!/bin/sh
# Makes the passwords that docker-compose.yml mounts, in deploy/secrets/. What is there already is kept, because the
# stores remember their first password.
set -eu
cd "$(dirname "$0")/secrets"

# The folder keeps other users of this machine out. The files must be readable to the user ids inside the containers,
# which the machine does not know.
chmod 700 .
umask 022

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { [ -s "$1" ] || printf '%s\n' "$2" >"$1"; }

keep postgres_password "$(random)"
keep redis_password "$(random)"
keep clickhouse_password "$(random)"
keep metrics_token "$(random)"

keep database_url "postgres://hub:$(cat postgres_password)@postgres:5432/hub"
keep redis_url "redis://:$(cat redis_password)@redis:6379"
keep clickhouse_url "http://hub:$(cat clickhouse_password)@clickhouse:8123"

keep redis.conf "requirepass $(cat redis_password)"
keep clickhouse_users.xml "<clickhouse>
  <users>
    <default>
      <networks replace=\"replace\"><ip>::1</ip><ip>127.0.0.1</ip></networks>
    </default>
    <hub>
      <password_sha256_hex>$(printf '%s' "$(cat clickhouse_password)" | sha256sum | cut -d' ' -f1)</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
    </hub>
  </users>
</clickhouse>"

echo "deploy/secrets is complete"
