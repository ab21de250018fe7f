// Starts the hub in a container. A setting that holds a secret may come as a file, named by the setting with `_FILE`
// after it: what lies in the environment is shown by `docker inspect` and inherited by everything executed there.
import { readFileSync } from 'node:fs';

const settingsWithSecrets = [
  'DATABASE_URL',
  'HUB_DATABASE_RUNTIME_URL',
  'HUB_DATABASE_SYSTEM_URL',
  'REDIS_URL',
  'CLICKHOUSE_URL',
  'HUB_METRICS_TOKEN',
  'HUB_OIDC_CLIENT_SECRET',
];

const environment = process.env; // oxlint-disable-line node/no-process-env -- its one job is to fill the environment

for (const name of settingsWithSecrets) {
  const file = environment[`${name}_FILE`] ?? '';
  delete environment[`${name}_FILE`];
  if (file === '') continue;
  if ((environment[name] ?? '') !== '') {
    process.stderr.write(`hub: Set ${name} or ${name}_FILE, not both.\n`);
    process.exit(78);
  }
  try {
    environment[name] = readFileSync(file, 'utf8').trim();
  } catch (error) {
    process.stderr.write(`hub: ${name}_FILE names ${file}, which cannot be read (${error.code}).\n`);
    process.exit(78);
  }
}

await import('../apps/hub/src/main.ts');
