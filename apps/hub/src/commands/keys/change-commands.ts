import { createInterface } from 'node:readline/promises';
import { Option, type Command } from 'commander';
import { pathOfKey } from './key-id.ts';
import { UsageError } from './keys-errors.ts';
import { hubCommand, type CommonOptions, type WithHub } from './keys-command.ts';
import { gather, parseCount, parseDuration } from './parse-options.ts';
import { note, printFields, printJson, printLine, when } from './print.ts';

type Made = { keyId: string; key: string; name: string; expiresAt: string | null };
type WithReason = CommonOptions & { reason?: string };
type CreateOptions = CommonOptions & {
  name: string;
  scope: string[];
  environment: string;
  rateLimit?: number;
  expiresIn?: number;
  allowIp?: string[];
};

const inSeconds = (seconds: number): string => {
  const at = new Date(Date.now() + seconds * 1_000);
  if (Number.isNaN(at.getTime())) throw new UsageError('--expires-in is too far away.');
  return at.toISOString();
};

/** The key alone on standard output, so that `> key.txt` holds nothing else. */
const printKey = (made: Made, remark: string, { json }: CommonOptions): void => {
  if (json === true) printJson(made);
  else printLine(made.key);
  note(`${remark} This is the only time the key is shown.`);
};

const addCreate = (keys: Command, withHub: WithHub): Command =>
  hubCommand(
    keys,
    'create',
    'make a key and print it, once',
    'hub keys create --name "Payroll" --scope data:read --expires-in 90d > key.txt',
  )
    .requiredOption('--name <text>', 'what the key is for')
    .requiredOption('--scope <scopes>', 'what it may do; several with commas or by repeating it', gather)
    .addOption(new Option('--environment <environment>', 'live or test').choices(['live', 'test']).default('live'))
    .option('--rate-limit <calls>', 'calls per minute; 60 unless given', parseCount)
    .option('--expires-in <duration>', 'when it ends, such as 90d; without it, never', parseDuration)
    .option('--allow-ip <ranges>', 'addresses or ranges it may be used from; several with commas', gather)
    .action((options: CreateOptions) =>
      withHub(options, async (hub) => {
        const made = await hub.call<Made>('POST', '/admin/api-keys', {
          name: options.name,
          environment: options.environment,
          scopes: options.scope,
          rateLimitPerMinute: options.rateLimit,
          expiresAt: options.expiresIn === undefined ? undefined : inSeconds(options.expiresIn),
          allowedIps: options.allowIp,
        });
        const end = made.expiresAt === null ? 'It never expires.' : `It expires ${when(made.expiresAt)}.`;
        printKey(made, `Made key ${made.keyId}. ${end}`, options);
      }),
    );

type RotateOptions = WithReason & { overlap?: number; overlapFrom?: string; force?: boolean };

const addRotate = (keys: Command, withHub: WithHub): Command =>
  hubCommand(
    keys,
    'rotate <keyId>',
    'give a key a new secret and print it, once',
    'hub keys rotate Ab3dEf6hIj9l --overlap 24h > key.txt',
  )
    .option(
      '--overlap <duration>',
      'how long the old secret stays valid; a day unless given, at most 7d',
      parseDuration,
    )
    .addOption(
      new Option('--overlap-from <moment>', 'when the overlap begins').choices(['now', 'first_use']).default('now'),
    )
    .option('--force', 'end the secret of an earlier rotation that is still valid')
    .option('--reason <text>', 'kept in the audit log')
    .action((keyId: string, options: RotateOptions) =>
      withHub(options, async (hub) => {
        const { overlap: overlapSeconds, overlapFrom, force, reason } = options;
        const body = { overlapSeconds, overlapFrom, force, reason };
        const made = await hub.call<Made & { oldSecretExpiresAt: string | null }>(
          'POST',
          pathOfKey(keyId, '/rotate'),
          body,
        );
        const end = made.oldSecretExpiresAt;
        const old = end === null ? 'once the new key has been used' : `at ${when(end)}`;
        printKey(made, `Rotated key ${made.keyId}. The old secret ends ${old}.`, options);
      }),
    );

const addRetireOld = (keys: Command, withHub: WithHub): Command =>
  hubCommand(keys, 'retire-old <keyId>', 'end the old secrets of a rotated key now', 'hub keys retire-old Ab3dEf6hIj9l')
    .option('--reason <text>', 'kept in the audit log')
    .action((keyId: string, options: WithReason) =>
      withHub(options, async (hub) => {
        const { reason } = options;
        const retired = await hub.call<{
          endedSecrets: number;
          oldSecretLastUsedAt: string | null;
          warning: string | null;
        }>('POST', pathOfKey(keyId, '/retire-old'), { reason });
        if (retired.warning !== null) note(`Warning: ${retired.warning}`);
        if (options.json === true) return printJson(retired);
        printFields({
          'ended secrets': retired.endedSecrets,
          'old secret last used': when(retired.oldSecretLastUsedAt),
        });
      }),
    );

const addSwitch = (keys: Command, withHub: WithHub, name: 'enable' | 'disable', description: string): Command =>
  hubCommand(keys, `${name} <keyId>`, description, `hub keys ${name} Ab3dEf6hIj9l`)
    .option('--reason <text>', 'kept in the audit log')
    .action((keyId: string, options: WithReason) =>
      withHub(options, async (hub) => {
        const body = { enabled: name === 'enable', reason: options.reason };
        const key = await hub.call<{ keyId: string; status: string }>('PATCH', pathOfKey(keyId), body);
        if (options.json === true) printJson(key);
        else printLine(`Key ${key.keyId} is ${key.status}.`);
      }),
    );

/** @throws UsageError when nobody can be asked or the answer is not the key id */
const confirm = async (keyId: string): Promise<void> => {
  if (!process.stdin.isTTY) throw new UsageError('Revoking cannot be undone. Add --yes to do it without being asked.');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`Revoking cannot be undone. Type ${keyId} to revoke it: `);
    if (answer.trim() !== keyId) throw new UsageError('Nothing was revoked.');
  } finally {
    terminal.close();
  }
};

const addRevoke = (keys: Command, withHub: WithHub): Command =>
  hubCommand(keys, 'revoke <keyId>', 'end a key for good', 'hub keys revoke Ab3dEf6hIj9l --reason "Laptop lost" --yes')
    .option('--reason <text>', 'kept with the key and in the audit log')
    .option('--yes', 'do not ask')
    .action((keyId: string, options: WithReason & { yes?: boolean }) =>
      withHub(options, async (hub) => {
        const path = pathOfKey(keyId);
        if (options.yes !== true) await confirm(keyId);
        const key = await hub.call<{ keyId: string; revokedAt: string }>('DELETE', path, { reason: options.reason });
        if (options.json === true) printJson(key);
        else printLine(`Key ${key.keyId} was revoked ${when(key.revokedAt)}.`);
      }),
    );

/** The commands that change keys. */
export const addChangeCommands = (keys: Command, withHub: WithHub): void => {
  addCreate(keys, withHub);
  addRotate(keys, withHub);
  addRetireOld(keys, withHub);
  addSwitch(keys, withHub, 'disable', 'refuse a key until it is enabled again');
  addSwitch(keys, withHub, 'enable', 'let a disabled key work again');
  addRevoke(keys, withHub);
};
