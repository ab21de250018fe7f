import { InvalidArgumentError, Option, type Command } from 'commander';
import { UsageError } from '../hub-api/command-errors.ts';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { gather, parseCount, parseDuration } from '../hub-api/parse-options.ts';
import {
  endpointsPath,
  pathOfEndpoint,
  printCredentials,
  printEndpoint,
  type Endpoint,
  type Shown,
} from './describe-endpoint.ts';
import { readGiven, readJsonFile } from './read-given.ts';

type SettingOptions = CommonOptions & {
  name?: string;
  hint?: string;
  tolerance?: number;
  bodyLimit?: number;
  allowIp?: string[];
  expectEvery?: number;
  settings?: string;
};

const longestToleranceSeconds = 900;

/** @throws InvalidArgumentError */
const parseTolerance = (text: string): number => {
  const seconds = parseDuration(text);
  if (seconds > longestToleranceSeconds) throw new InvalidArgumentError('Use at most 15m.');
  return seconds;
};

const addSettingOptions = (command: Command): Command =>
  command
    .option('--hint <account>', 'the account that the partner names in its payloads, for the address without an id')
    .option('--tolerance <duration>', 'how far its clock may be off; 5m unless given, at most 15m', parseTolerance)
    .option('--body-limit <bytes>', 'the largest event', parseCount)
    .option('--allow-ip <networks>', 'from where it may send; with commas or by repeating it', gather)
    .option(
      '--expect-every <duration>',
      'how often it sends at least, such as 1h; say so when it is silent',
      parseDuration,
    )
    .option('--settings <file>', 'JSON with what the scheme needs: profile, jwt or username; - for standard input');

const settingsOf = async (options: SettingOptions): Promise<Record<string, unknown>> => ({
  ...(options.settings === undefined ? {} : await readJsonFile(options.settings)),
  name: options.name,
  hint: options.hint,
  toleranceSeconds: options.tolerance,
  bodyLimitBytes: options.bodyLimit,
  allowedNetworks: options.allowIp,
  expectedEverySeconds: options.expectEvery,
});

type CreateOptions = SettingOptions & { partner: string; scheme?: string; acceptWeak?: true; secretFile?: string };

/** `hub endpoints create` */
export const addCreate = (endpoints: Command, withHub: WithHub): Command =>
  addSettingOptions(
    hubCommand(
      endpoints,
      'create',
      'make a receiver for a partner and print its secret, once',
      'hub endpoints create --partner benevity --name "Giving" --expect-every 1d > secret.txt',
    )
      .requiredOption('--partner <partner>', 'benevity, goodera or workday')
      .requiredOption('--name <text>', 'for people')
      .option('--scheme <scheme>', 'how it signs; the own scheme of the partner unless given'),
  )
    .option('--accept-weak', 'take a scheme whose signature does not protect against replay')
    .option('--secret-file <file>', 'file with the secret that the sender has made (custom-hmac); - for standard input')
    .action((options: CreateOptions) =>
      withHub(options, async (hub) => {
        const { partner, scheme, acceptWeak, secretFile } = options;
        const secret = secretFile === undefined ? undefined : (await readGiven(secretFile)).trim();
        const body = { ...(await settingsOf(options)), partner, scheme, acceptWeak, secret };
        const made = await hub.call<Shown>('POST', endpointsPath, body);
        printCredentials(made, `Made endpoint ${made.id} for ${made.partner} (${made.scheme}).`, options);
      }),
    );

type ChangeOptions = SettingOptions & {
  withoutHint?: boolean;
  allowAnyIp?: boolean;
  expectNothing?: boolean;
  reason?: string;
};

const nothingGiven =
  'Say what to change: --name, --hint, --tolerance, --body-limit, --allow-ip, --expect-every, --settings, or take one away.';

/** `hub endpoints change` */
export const addChange = (endpoints: Command, withHub: WithHub): Command =>
  addSettingOptions(
    hubCommand(
      endpoints,
      'change <endpointId>',
      'change a receiver without its partner having to know; what is not given stays',
      'hub endpoints change 01a1fd2a-43a6-75a0-ab21-6e9a3a717903 --expect-every 1h',
    ).option('--name <text>', 'for people'),
  )
    .addOption(new Option('--without-hint', 'take the account away').conflicts('hint'))
    .addOption(new Option('--allow-any-ip', 'let it send from everywhere').conflicts('allowIp'))
    .addOption(new Option('--expect-nothing', 'do not wait for it any more').conflicts('expectEvery'))
    .option('--reason <text>', 'kept in the audit log')
    .action((id: string, options: ChangeOptions) =>
      withHub(options, async (hub) => {
        const path = pathOfEndpoint(id);
        const change = {
          ...(await settingsOf(options)),
          ...(options.withoutHint === true ? { hint: null } : {}),
          ...(options.allowAnyIp === true ? { allowedNetworks: null } : {}),
          ...(options.expectNothing === true ? { expectedEverySeconds: null } : {}),
        };
        if (Object.values(change).every((value) => value === undefined)) throw new UsageError(nothingGiven);
        printEndpoint(await hub.call<Endpoint>('PATCH', path, { ...change, reason: options.reason }), options);
      }),
    );
