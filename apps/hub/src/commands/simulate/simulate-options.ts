import { InvalidArgumentError, Option, type Command } from 'commander';
import { faultNames, type FaultName } from '@impact-hub/impact-in/faults';
import { partnerNames, schemeNames, type SchemeName } from '@impact-hub/impact-in/schemes';
import { parseCount } from '../hub-api/parse-options.ts';

export type SimulateOptions = {
  scheme?: SchemeName;
  fault: FaultName[] | 'all';
  count: number;
  rate?: number;
  url?: string;
  secret?: string;
  secretFile?: string;
  clientId?: string;
  tokenUrl?: string;
  privateKeyFile?: string;
  keyId?: string;
  issuer?: string;
  audience?: string;
  profileFile?: string;
  eventType?: string;
  correlationId?: string;
  seed?: string;
  json?: boolean;
};

const maxCount = 1_000_000;

const count = (text: string): number => {
  const parsed = parseCount(text);
  if (parsed > maxCount) throw new InvalidArgumentError(`Use at most ${maxCount}.`);
  return parsed;
};

/** `all` or names with commas. @throws InvalidArgumentError naming what there is */
const faultList = (text: string): FaultName[] | 'all' => {
  if (text === 'all') return text;
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !(faultNames as string[]).includes(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`There is no fault ${unknown}; there are ${faultNames.join(', ')}.`);
  return names as FaultName[];
};

const example = `
Examples:
  hub simulate benevity
  hub simulate benevity --fault all
  hub simulate goodera --fault good,duplicate --count 1000 --rate 200
  hub simulate workday --url https://hub.example.org/webhooks/workday/01a1… --scheme workday-hmac --secret-file secret.txt`;

/** Adds the options of `hub simulate` to its command. */
export const addSimulateOptions = (command: Command): Command =>
  command
    .argument('<partner>', partnerNames.join(', '))
    .addOption(new Option('--scheme <scheme>', "how it signs; default is the endpoint's").choices([...schemeNames]))
    .addOption(
      new Option('--fault <names>', 'what it does wrong, several with commas, or all')
        .argParser(faultList)
        .default(['good'], 'good'),
    )
    .option('--count <events>', 'so many of each', count, 1)
    .option('--rate <events>', 'so many a second; else one after the other', parseCount)
    .option('--url <address>', 'of the endpoint; else one of credentials.json in HUB_DATA_DIR')
    .option('--secret <text>', 'its secret, token or user:password; others see it in the list of processes')
    .option('--secret-file <file>', 'file with its secret, - for standard input')
    .option('--client-id <id>', 'for workday-oauth; the secret is its client secret')
    .option('--token-url <address>', 'for workday-oauth; default is /oauth/token where the endpoint is')
    .option('--private-key-file <file>', 'for JWT schemes: PEM of the key that signs tokens')
    .option('--key-id <kid>', 'for JWT schemes: its name')
    .option('--issuer <text>', 'for JWT schemes')
    .option('--audience <text>', 'for JWT schemes')
    .option('--profile-file <file>', "for custom-hmac: JSON of the endpoint's profile")
    .option('--event-type <type>', 'default: all of the partner in turn')
    .option('--correlation-id <id>', 'what the events report on, such as the transaction of an outbound delivery')
    .option('--seed <text>', 'makes the same events again')
    .option('--json', 'print every answer as a line of JSON')
    .addHelpText('after', example);
