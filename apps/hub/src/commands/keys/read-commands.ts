import type { EffectiveAccess } from '@impact-hub/api-keys';
import { Option, type Command } from 'commander';
import { fieldsOfKey, type Key } from './describe-key.ts';
import { addHygiene } from './hygiene-command.ts';
import { pathOfKey } from './key-id.ts';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { readPages } from '../hub-api/read-pages.ts';
import { addStats } from './stats-command.ts';
import { note, printFields, printJson, printLine, printTable, when } from '../hub-api/print.ts';

type ListOptions = CommonOptions & { status?: string; environment?: string };

const addList = (keys: Command, withHub: WithHub): Command =>
  hubCommand(
    keys,
    'list',
    'list the keys of the company; --json has all pages of the answer in one',
    'hub keys list --status active',
  )
    .addOption(new Option('--status <status>', 'only these').choices(['active', 'disabled', 'expired', 'revoked']))
    .addOption(new Option('--environment <environment>', 'only these').choices(['live', 'test']))
    .action((options: ListOptions) =>
      withHub(options, async (hub) => {
        const { status, environment } = options;
        const found = await readPages<Key>(hub, '/admin/api-keys', { status, environment });
        if (options.json === true) return printJson(found);
        if (found.data.length === 0) return note('There is no such key. Make one with: hub keys create');
        printTable(
          ['key id', 'name', 'for', 'status', 'expires', 'last used', 'calls', 'errors'],
          found.data.map(({ keyId, name, environment, status, expiresAt, usage }) => [
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

const addShow = (keys: Command, withHub: WithHub): Command =>
  hubCommand(keys, 'show <keyId>', 'show one key, its usage and its secrets', 'hub keys show Ab3dEf6hIj9l').action(
    (keyId: string, options: CommonOptions) =>
      withHub(options, async (hub) => {
        const key = await hub.call<Detail>('GET', pathOfKey(keyId));
        if (options.json === true) return printJson(key);
        printFields(fieldsOfKey(key));
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

/** The commands that only look. */
export const addReadCommands = (keys: Command, withHub: WithHub): void => {
  addList(keys, withHub);
  addShow(keys, withHub);
  addAccess(keys, withHub);
  addStats(keys, withHub);
  addHygiene(keys, withHub);
};
