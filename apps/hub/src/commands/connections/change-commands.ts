import type { Command } from 'commander';
import { readJsonFile } from '../endpoints/read-given.ts';
import { UsageError } from '../hub-api/command-errors.ts';
import { confirm } from '../hub-api/confirm.ts';
import { goodId } from '../hub-api/good-id.ts';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { parseCount } from '../hub-api/parse-options.ts';
import { note, printJson, printLine } from '../hub-api/print.ts';
import { connectionsPath, pathOfConnection, printConnection, type Connection } from './describe-connection.ts';

const sampleId = '01a1fd2a-43a6-75a0-ab21-6e9a3a717903';
const apis = 'benevity, benevity-bearer, goodera, goodera-key, workday-rest or workday-soap';

type SettingOptions = CommonOptions & {
  name?: string;
  baseUrl?: string;
  tenant?: string;
  credentialsFile?: string;
  requestsPerMinute?: number;
};

const addSettingOptions = (command: Command): Command =>
  command
    .option('--name <text>', 'for people')
    .option('--base-url <address>', 'where the API is, such as https://api.example.org')
    .option('--tenant <name>', "Workday's name of the customer")
    .option(
      '--credentials-file <file>',
      'JSON: apiKey (and signingSecret), clientId and clientSecret, or username and password; - for standard input',
    )
    .option('--requests-per-minute <calls>', 'what the partner allows; the limit of the API unless given', parseCount);

const settingsOf = async ({ name, baseUrl, tenant, credentialsFile, requestsPerMinute }: SettingOptions) => ({
  name,
  baseUrl,
  tenant,
  credentials: credentialsFile === undefined ? undefined : await readJsonFile(credentialsFile),
  requestsPerMinute,
});

/** `hub connections create` */
export const addCreate = (connections: Command, withHub: WithHub): Command =>
  addSettingOptions(
    hubCommand(
      connections,
      'create',
      "make a connection to a partner's API; the credentials are kept encrypted and never shown",
      'hub connections create --api benevity --name Giving --base-url https://api.example.org --credentials-file key.json',
    ).requiredOption('--api <api>', apis),
  ).action((options: SettingOptions & { api: string }) =>
    withHub(options, async (hub) => {
      const body = { api: options.api, ...(await settingsOf(options)) };
      const made = await hub.call<Connection>('POST', connectionsPath, body);
      printConnection(made, options);
      note(`Try it: hub connections test ${made.id}`);
    }),
  );

/** `hub connections change` */
export const addChange = (connections: Command, withHub: WithHub): Command =>
  addSettingOptions(
    hubCommand(
      connections,
      'change <connectionId>',
      'change a connection; what is not given stays',
      `hub connections change ${sampleId} --requests-per-minute 60`,
    ),
  ).action((id: string, options: SettingOptions) =>
    withHub(options, async (hub) => {
      const change = await settingsOf(options);
      if (Object.values(change).every((value) => value === undefined))
        throw new UsageError(
          'Say what to change: --name, --base-url, --tenant, --credentials-file or --requests-per-minute.',
        );
      printConnection(await hub.call<Connection>('PATCH', pathOfConnection(id), change), options);
    }),
  );

const states = { pause: 'paused', resume: 'active' } as const;

/** `hub connections pause` and `resume` */
export const addSwitch = (
  connections: Command,
  withHub: WithHub,
  name: keyof typeof states,
  description: string,
): Command =>
  hubCommand(connections, `${name} <connectionId>`, description, `hub connections ${name} ${sampleId}`).action(
    (id: string, options: CommonOptions) =>
      withHub(options, async (hub) => {
        const changed = await hub.call<Connection>('PATCH', pathOfConnection(id), { state: states[name] });
        if (options.json === true) printJson(changed);
        else printLine(`Connection ${changed.id} is ${changed.state}.`);
      }),
  );

/** `hub connections delete` */
export const addDelete = (connections: Command, withHub: WithHub): Command =>
  hubCommand(
    connections,
    'delete <connectionId>',
    'delete a connection; what it has not sent yet fails',
    `hub connections delete ${sampleId} --yes`,
  )
    .option('--yes', 'do not ask')
    .action((given: string, options: CommonOptions & { yes?: boolean }) =>
      withHub(options, async (hub) => {
        const id = goodId(given, 'connection');
        const warning = 'Deleting cannot be undone, and what has not been sent yet fails.';
        if (options.yes !== true) await confirm({ id, warning, verb: 'delete', otherwise: 'Nothing was deleted.' });
        await hub.call('DELETE', pathOfConnection(id));
        if (options.json === true) printJson({ id });
        else printLine(`Connection ${id} was deleted.`);
      }),
    );
