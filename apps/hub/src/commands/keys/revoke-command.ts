import type { Command } from 'commander';
import { pathOfKey } from './key-id.ts';
import type { WithReason } from './key-options.ts';
import { hubCommand, type WithHub } from '../hub-api/hub-command.ts';
import { confirm } from '../hub-api/confirm.ts';
import { printJson, printLine, when } from '../hub-api/print.ts';

const question = (id: string) => ({
  id,
  warning: 'Revoking cannot be undone.',
  verb: 'revoke',
  otherwise: 'Nothing was revoked.',
});

/** `hub keys revoke` */
export const addRevoke = (keys: Command, withHub: WithHub): Command =>
  hubCommand(keys, 'revoke <keyId>', 'end a key for good', 'hub keys revoke Ab3dEf6hIj9l --reason "Laptop lost" --yes')
    .option('--reason <text>', 'kept with the key and in the audit log')
    .option('--yes', 'do not ask')
    .action((keyId: string, options: WithReason & { yes?: boolean }) =>
      withHub(options, async (hub) => {
        const path = pathOfKey(keyId);
        if (options.yes !== true) await confirm(question(keyId));
        const key = await hub.call<{ keyId: string; revokedAt: string }>('DELETE', path, { reason: options.reason });
        if (options.json === true) printJson(key);
        else printLine(`Key ${key.keyId} was revoked ${when(key.revokedAt)}.`);
      }),
    );
