import { Command, Option } from 'commander';
import { EmbeddedStoreError } from '@impact-hub/embedded-stores';
import { redactText } from '@impact-hub/core';
import { checkConfiguration } from './commands/check-configuration.ts';
import { registerKeys } from './commands/keys/register-keys.ts';
import { runDemo } from './commands/run-demo.ts';
import { runMigrations } from './commands/run-migrations.ts';
import { runSetup } from './commands/run-setup.ts';
import { serve } from './commands/serve.ts';
import { writeGeneratedDocs } from './commands/write-generated-docs.ts';
import { StartError } from './config/load-settings.ts';
import { targets } from './target.ts';
import { version } from './version.ts';

/** EX_CONFIG of sysexits.h: the configuration or the surroundings are wrong; starting again will not help. */
const configurationExitCode = 78;

// A terminal that was closed, or a pipe whose reader has gone, must not keep the hub from ending in order.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

const program = new Command('hub')
  .description('Impact Hub: the integrations hub for corporate-social-responsibility platforms.')
  .version(version)
  .allowExcessArguments(false)
  .showHelpAfterError();

program
  .command('start', { isDefault: true })
  .description('start the hub; with nothing set it brings its own stores')
  .addOption(new Option('--target <target>', 'what this process does').choices([...targets]).default('all'))
  .action((options: { target: (typeof targets)[number] }) => serve(process.env, options.target));

program
  .command('setup')
  .description('create the first company, administrator, API key and partner endpoints; writes credentials.json')
  .action(() => runSetup(process.env));

program
  .command('migrate')
  .description('bring the database schema up to date and create the two logins')
  .action(() => runMigrations(process.env));

program
  .command('config')
  .description('show the effective settings, secrets hidden')
  .option('--check', 'only say whether they are valid')
  .action((options: { check?: boolean }) => checkConfiguration(process.env, options.check === true));

program
  .command('demo')
  .description(
    'send good, duplicate, tampered, stale and malformed webhooks to the running hub and show what became of each',
  )
  .option('--seed <text>', 'makes the same events again')
  .action((options: { seed?: string }) => runDemo(process.env, options.seed));

program
  .command('docs')
  .description('write docs/errors.md and .env.example from the code')
  .option('--check', 'only say whether they are up to date')
  .action((options: { check?: boolean }) => writeGeneratedDocs(options.check === true));

registerKeys(program, process.env);

try {
  await program.parseAsync();
} catch (error) {
  const isExpected = error instanceof StartError || error instanceof EmbeddedStoreError;
  const text = isExpected ? error.message : `unexpected failure\n${String((error as Error).stack ?? error)}`;
  process.stderr.write(`\nhub: ${redactText(text)}\n`, () => process.exit(isExpected ? configurationExitCode : 1));
}
