import { Option, type Command } from 'commander';
import { addLimitOptions, limitsOf, type LimitOptions } from './key-options.ts';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { gather, gatherPairs } from '../hub-api/parse-options.ts';
import { when } from '../hub-api/print.ts';
import { printKey, type Made } from './print-key.ts';

type CreateOptions = CommonOptions &
  LimitOptions & { name: string; scope: string[]; environment: string; metadata?: [string, string][] };

const example = 'hub keys create --name "Payroll" --scope data:read --expires-in 90d > key.txt';

/** `hub keys create` */
export const addCreate = (keys: Command, withHub: WithHub): Command =>
  addLimitOptions(
    hubCommand(
      keys,
      'create',
      'make a key and print it, once; 60 calls a minute, from everywhere and without an end unless given',
      example,
    )
      .requiredOption('--name <text>', 'what the key is for')
      .requiredOption('--scope <scopes>', 'what it may do; several with commas or by repeating it', gather)
      .addOption(new Option('--environment <environment>', 'live or test').choices(['live', 'test']).default('live')),
  )
    .option('--metadata <key=value>', 'a note of your own, kept with the key; several by repeating it', gatherPairs)
    .action((options: CreateOptions) =>
      withHub(options, async (hub) => {
        const { name, environment, scope: scopes, metadata } = options;
        const made = await hub.call<Made>('POST', '/admin/api-keys', {
          name,
          environment,
          scopes,
          ...limitsOf(options),
          metadata: metadata === undefined ? undefined : Object.fromEntries(metadata),
        });
        const end = made.expiresAt === null ? 'It never expires.' : `It expires ${when(made.expiresAt)}.`;
        printKey(made, `Made key ${made.keyId}. ${end}`, options);
      }),
    );
