import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { pathOfKey } from './key-id.ts';
import type { WithReason } from './key-options.ts';
import { hubCommand, type WithHub } from '../hub-api/hub-command.ts';
import { UsageError } from '../hub-api/command-errors.ts';
import { note, printJson, printLine, when } from '../hub-api/print.ts';

/** @throws UsageError when nobody can be asked or the answer is not the key id */
const confirm = async (keyId: string): Promise<void> => {
  if (!process.stdin.isTTY) throw new UsageError('Revoking cannot be undone. Add --yes to do it without being asked.');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    // Ctrl-C and Ctrl-D end the question without an answer, on the line it stands on.
    const answer = await terminal.question(`Revoking cannot be undone. Type ${keyId} to revoke it: `).catch(() => {
      note('');
      return '';
    });
    if (answer.trim() !== keyId) throw new UsageError('Nothing was revoked.');
  } finally {
    terminal.close();
  }
};

/** `hub keys revoke` */
export const addRevoke = (keys: Command, withHub: WithHub): Command =>
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
