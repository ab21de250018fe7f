import { Option, type Command } from 'commander';
import { fieldsOfKey, type Key } from './describe-key.ts';
import { pathOfKey } from './key-id.ts';
import { addLimitOptions, limitsOf, type LimitOptions, type WithReason } from './key-options.ts';
import { hubCommand, type WithHub } from '../hub-api/hub-command.ts';
import { UsageError } from '../hub-api/command-errors.ts';
import { printFields, printJson } from '../hub-api/print.ts';

type ChangeOptions = WithReason & LimitOptions & { name?: string };

const nothingGiven =
  'Say what to change: --name, --rate-limit, --expires-in, --expires-at, --never-expires, --allow-ip or --allow-any-ip.';

/** `hub keys change` */
export const addChange = (keys: Command, withHub: WithHub): Command =>
  addLimitOptions(
    hubCommand(
      keys,
      'change <keyId>',
      'change the name, limit, end or addresses of a key; what is not given stays',
      'hub keys change Ab3dEf6hIj9l --expires-in 90d --reason "Every key has an end now"',
    ).option('--name <text>', 'what the key is for'),
  )
    .addOption(new Option('--never-expires', 'take its end away').conflicts(['expiresIn', 'expiresAt']))
    .addOption(new Option('--allow-any-ip', 'let it be used from everywhere').conflicts('allowIp'))
    .option('--reason <text>', 'kept in the audit log')
    .action((keyId: string, options: ChangeOptions) =>
      withHub(options, async (hub) => {
        const path = pathOfKey(keyId);
        const change = { name: options.name, ...limitsOf(options) };
        if (Object.values(change).every((value) => value === undefined)) throw new UsageError(nothingGiven);
        const key = await hub.call<Key>('PATCH', path, { ...change, reason: options.reason });
        if (options.json === true) printJson(key);
        else printFields(fieldsOfKey(key));
      }),
    );
