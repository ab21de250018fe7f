import type { Command } from 'commander';
import { addChangeCommands } from './change-commands.ts';
import { inspectKey } from './inspect-key.ts';
import { keysWords } from './keys-words.ts';
import { hubCaller, hubCommands, runCommand } from '../hub-api/hub-command.ts';
import { addReadCommands } from './read-commands.ts';

/** Adds `hub keys …`: a client of the running hub's public API for the terminal and for scripts. */
export const registerKeys = (program: Command, environment: NodeJS.ProcessEnv): void => {
  const keys = hubCommands(program, 'keys', 'make, list, rotate and revoke API keys of the running hub');
  const withHub = hubCaller(environment, keysWords);
  addChangeCommands(keys, withHub);
  addReadCommands(keys, withHub);
  keys
    .command('inspect <key-or-id>')
    .description('check the form and checksum of a key without asking any hub; - reads it from standard input')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  hub keys inspect - < key.txt')
    .action((given: string, options: { json?: boolean }) => runCommand('keys', () => inspectKey(given, options)));
};
