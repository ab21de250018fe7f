import type { ApiKeyView, EffectiveAccess } from '@impact-hub/api-keys';
import { Option, type Command } from 'commander';
import { pathOfKey } from './key-id.ts';
import { hubCommand, type CommonOptions, type WithHub } from './keys-command.ts';
import type { KeysClient } from './keys-client.ts';
import { addStats } from './stats-command.ts';
import { note, printFields, printJson, printLine, printTable, when } from './print.ts';

/** What an answer looks like after its way through JSON. */
type Sent<T> = T extends Date ? string : T extends object ? { [K in keyof T]: Sent<T[K]> } : T;
type Key = Sent<ApiKeyView>;
type ListOptions = CommonOptions & { status?: string; environment?: string };

const listAll = async (hub: KeysClient, { status, environment }: ListOptions): Promise<Key[]> => {
  const keys: Key[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ limit: '100' });
    for (const [name, value] of Object.entries({ status, environment, cursor }))
      if (typeof value === 'string') query.set(name, value);
    const page: { data: Key[]; nextCursor: string | null } = await hub.call(
      'GET',
      `/admin/api-keys?${query.toString()}`,
    );
    keys.push(...page.data);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return keys;
};

const addList = (keys: Command, withHub: WithHub): Command =>
  hubCommand(keys, 'list', 'list the keys of the company', 'hub keys list --status active')
    .addOption(new Option('--status <status>', 'only these').choices(['active', 'disabled', 'expired', 'revoked']))
    .addOption(new Option('--environment <environment>', 'only these').choices(['live', 'test']))
    .action((options: ListOptions) =>
      withHub(options, async (hub) => {
        const found = await listAll(hub, options);
        if (options.json === true) return printJson(found);
        if (found.length === 0) return note('There is no such key. Make one with: hub keys create');
        printTable(
          ['key id', 'name', 'for', 'status', 'expires', 'last used', 'calls', 'errors'],
          found.map(({ keyId, name, environment, status, expiresAt, usage }) => [
            keyId,
            name,
            environment,
            status,
            when(expiresAt),
            when(usage.lastUsedAt),
            usage.calls,
            usage.errors,
          ]),
        );
      }),
    );

type Detail = Key & {
  secrets: { state: string; createdAt: string; lastUsedAt: string | null; expiresAt: string | null; calls: number }[];
};

const fieldsOf = (key: Key): Record<string, unknown> => ({
  'key id': key.keyId,
  name: key.name,
  environment: key.environment,
  status: key.status,
  scopes: key.scopes,
  'calls per minute': key.rateLimitPerMinute,
  'allowed from': key.allowedIps.length === 0 ? 'everywhere' : key.allowedIps,
  created: `${when(key.createdAt)} by ${key.createdBy}`,
  expires: key.expiresAt === null ? 'never' : when(key.expiresAt),
  revoked: key.revokedAt === null ? undefined : `${when(key.revokedAt)} ${key.revokeReason ?? ''}`,
  'last used': key.usage.lastUsedAt === null ? 'never' : when(key.usage.lastUsedAt),
  'from, with': [key.usage.lastUsedIp, key.usage.lastUserAgent].filter((part) => part !== null),
  calls: key.usage.calls,
  errors: `${key.usage.errors} (${key.usage.rateLimited} of them rate-limited)`,
  anomaly:
    key.anomaly === null
      ? undefined
      : `${key.anomaly.calls} calls within a minute from ${key.anomaly.network}, flagged ${when(key.anomaly.at)}`,
});

const addShow = (keys: Command, withHub: WithHub): Command =>
  hubCommand(keys, 'show <keyId>', 'show one key, its usage and its secrets', 'hub keys show Ab3dEf6hIj9l').action(
    (keyId: string, options: CommonOptions) =>
      withHub(options, async (hub) => {
        const key = await hub.call<Detail>('GET', pathOfKey(keyId));
        if (options.json === true) return printJson(key);
        printFields(Object.fromEntries(Object.entries(fieldsOf(key)).filter(([, value]) => value !== undefined)));
        printLine('');
        printTable(
          ['secret', 'made', 'last used', 'ends', 'calls'],
          key.secrets.map((secret) => [
            secret.state,
            when(secret.createdAt),
            when(secret.lastUsedAt),
            when(secret.expiresAt),
            secret.calls,
          ]),
        );
      }),
  );

const addAccess = (keys: Command, withHub: WithHub): Command =>
  hubCommand(keys, 'access <keyId>', 'list the endpoints a key may call', 'hub keys access Ab3dEf6hIj9l').action(
    (keyId: string, options: CommonOptions) =>
      withHub(options, async (hub) => {
        const access = await hub.call<EffectiveAccess>('GET', pathOfKey(keyId, '/effective-access'));
        if (options.json === true) return printJson(access);
        if (access.endpoints.length === 0) return note(`Key ${keyId} is ${access.status} and may call nothing.`);
        printTable(
          ['method', 'path', 'what it does'],
          access.endpoints.map(({ method, path, summary }) => [method, path, summary]),
        );
      }),
  );

type Hygiene = Record<
  string,
  { count: number; keys: { keyId: string; name: string; why: string; whatToDo: string }[] }
>;

const addHygiene = (keys: Command, withHub: WithHub): Command =>
  hubCommand(keys, 'hygiene', 'list the keys that want attention, and what to do', 'hub keys hygiene').action(
    (options: CommonOptions) =>
      withHub(options, async (hub) => {
        const hygiene = await hub.call<Hygiene>('GET', '/admin/api-keys/hygiene');
        if (options.json === true) return printJson(hygiene);
        const found = Object.values(hygiene).flatMap((finding) => finding.keys);
        if (found.length === 0) return note('No key wants attention.');
        printTable(
          ['key id', 'name', 'why', 'what to do'],
          found.map(({ keyId, name, why, whatToDo }) => [keyId, name, why, whatToDo]),
        );
        const hidden = Object.values(hygiene).reduce((sum, { count, keys: listed }) => sum + count - listed.length, 0);
        if (hidden > 0) note(`And ${hidden} more; deal with these first.`);
      }),
  );

/** The commands that only look. */
export const addReadCommands = (keys: Command, withHub: WithHub): void => {
  addList(keys, withHub);
  addShow(keys, withHub);
  addAccess(keys, withHub);
  addStats(keys, withHub);
  addHygiene(keys, withHub);
};
