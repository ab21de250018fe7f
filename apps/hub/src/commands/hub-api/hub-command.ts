import type { Command } from 'commander';
import { redactText } from '@impact-hub/core/redact';
import { connectHub, type Connection, type HubClient } from './hub-client.ts';
import { CommandError, UsageError } from './command-errors.ts';
import type { Words } from './explain-problem.ts';
import { note } from './print.ts';

export type CommonOptions = Connection & { json?: boolean };

const [refusedExitCode, usageExitCode] = [1, 2];

/** Runs one command of `hub <group> …`; what it throws for the person at the terminal ends it with plain sentences. */
export const runCommand = async (group: string, work: () => Promise<void>): Promise<void> => {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    note(`hub ${group}: ${redactText(error.message)}`);
    process.exitCode = error instanceof UsageError ? usageExitCode : refusedExitCode;
  }
};

/** Adds a command that calls the running hub. `json` prints the hub's own answer, for scripts. */
export const hubCommand = (
  parent: Command,
  name: string,
  description: string,
  example: string,
  options: { isDefault?: boolean } = {},
): Command =>
  parent
    .command(name, options)
    .description(description)
    .option('--url <address>', 'where the hub is; else HUB_URL, else credentials.json in HUB_DATA_DIR')
    .option(
      '--api-key-file <file>',
      'file with the API key to call it with, - for standard input; else HUB_API_KEY, else credentials.json',
    )
    .option('--json', 'print the answer of the hub as JSON')
    .addHelpText('after', `\nExample:\n  ${example}`);

/** Calls `work` with a client of the hub that the options or the environment name. */
export type WithHub = (options: CommonOptions, work: (hub: HubClient) => Promise<void>) => Promise<void>;

export const hubCaller =
  (environment: NodeJS.ProcessEnv, words: Words): WithHub =>
  (options, work) =>
    runCommand(words.group, async () => work(await connectHub(options, environment, words)));

/** The parent of all `hub <group> …`: mistakes on the command line end with 2, and no message repeats a key. */
export const hubCommands = (parent: Command, group: string, description: string): Command =>
  parent
    .command(group)
    .description(description)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : usageExitCode))
    .configureOutput({ outputError: (text, write) => write(redactText(text)) })
    .showHelpAfterError('Add --help for what the command takes.')
    .allowExcessArguments(false);
