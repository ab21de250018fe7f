import { Option, type Command } from 'commander';
import { pathOfKey } from './key-id.ts';
import type { WithReason } from './key-options.ts';
import { hubCommand, type WithHub } from '../hub-api/hub-command.ts';
import { parseDuration } from '../hub-api/parse-options.ts';
import { note, printFields, printJson, when } from '../hub-api/print.ts';
import { printKey, type Made } from './print-key.ts';

type RotateOptions = WithReason & { overlap?: number; overlapFrom?: string; force?: boolean };

const example = 'hub keys rotate Ab3dEf6hIj9l --overlap 24h > key.txt';
const overlapHelp = 'how long the old secret stays valid; a day unless given, at most 7d';

/** `hub keys rotate` */
export const addRotate = (keys: Command, withHub: WithHub): Command =>
  hubCommand(keys, 'rotate <keyId>', 'give a key a new secret and print it, once', example)
    .option('--overlap <duration>', overlapHelp, parseDuration)
    .addOption(
      new Option('--overlap-from <moment>', 'when the overlap begins; now unless given').choices(['now', 'first_use']),
    )
    .option('--force', 'end the secret of an earlier rotation that is still valid')
    .option('--reason <text>', 'kept in the audit log')
    .action((keyId: string, options: RotateOptions) =>
      withHub(options, async (hub) => {
        const { overlap: overlapSeconds, overlapFrom, force, reason } = options;
        const body = { overlapSeconds, overlapFrom, force, reason };
        const made = await hub.call<Made & { oldSecretExpiresAt: string | null; replacedUnused: boolean }>(
          'POST',
          pathOfKey(keyId, '/rotate'),
          body,
        );
        const end = made.oldSecretExpiresAt;
        const old = end === null ? 'once the new key has been used' : `at ${when(end)}`;
        if (made.replacedUnused) note('The new key of an earlier rotation, which nobody had used, has ended.');
        printKey(made, `Rotated key ${made.keyId}. The old secret ends ${old}.`, options);
      }),
    );

type Retired = { endedSecrets: number; oldSecretLastUsedAt: string | null; warning: string | null };

/** `hub keys retire-old` */
export const addRetireOld = (keys: Command, withHub: WithHub): Command =>
  hubCommand(keys, 'retire-old <keyId>', 'end the old secrets of a rotated key now', 'hub keys retire-old Ab3dEf6hIj9l')
    .option('--reason <text>', 'kept in the audit log')
    .action((keyId: string, options: WithReason) =>
      withHub(options, async (hub) => {
        const { reason } = options;
        const retired = await hub.call<Retired>('POST', pathOfKey(keyId, '/retire-old'), { reason });
        if (retired.warning !== null) note(`Warning: ${retired.warning}`);
        if (options.json === true) return printJson(retired);
        printFields({
          'ended secrets': retired.endedSecrets,
          'old secret last used': when(retired.oldSecretLastUsedAt),
        });
      }),
    );
