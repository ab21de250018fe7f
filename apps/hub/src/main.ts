import { apiFaults } from '@impact-hub/impact-in/api-faults';
import { Command, Option } from 'commander';
import { registerConnections } from './commands/connections/register-connections.ts';
import { registerDeliveries } from './commands/deliveries/register-deliveries.ts';
import { registerEndpoints } from './commands/endpoints/register-endpoints.ts';
import { registerKeys } from './commands/keys/register-keys.ts';
import { registerReceipts } from './commands/receipts/register-receipts.ts';
import { registerSimulate } from './commands/simulate/register-simulate.ts';
import { textTable } from './demo/text-table.ts';
import { nearestName } from './nearest-name.ts';
import { targets } from './target.ts';
import { version } from './version.ts';

/** EX_CONFIG of sysexits.h: the configuration or the surroundings are wrong; starting again will not help. */
const configurationExitCode = 78;
const usageExitCode = 2;

// A terminal that was closed, or a pipe whose reader has gone, must not keep the hub from ending in order.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

// Each command loads what it needs itself: the whole hub takes the better part of a second.
const program = new Command('hub')
  .description('Impact Hub: the integrations hub for corporate-social-responsibility platforms.')
  .version(version)
  .allowExcessArguments(false)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : usageExitCode))
  .showHelpAfterError('Add --help for what there is.');

program
  .command('start', { isDefault: true })
  .description('start the hub; with nothing set it brings its own stores')
  .addOption(new Option('--target <target>', 'what this process does').choices([...targets]).default('all'))
  .action(async ({ target }: { target: (typeof targets)[number] }) => {
    const { serve } = await import('./commands/serve.ts');
    await serve(process.env, target);
  });

program
  .command('setup')
  .description('create the first company, administrator, API key and partner endpoints; writes credentials.json')
  .action(async () => {
    const { runSetup } = await import('./commands/run-setup.ts');
    await runSetup(process.env);
  });

program
  .command('migrate')
  .description('bring the database schema up to date and create the two logins')
  .action(async () => {
    const { runMigrations } = await import('./commands/run-migrations.ts');
    await runMigrations(process.env);
  });

program
  .command('config')
  .description('show the effective settings, secrets hidden')
  .option('--check', 'only say whether they are valid')
  .action(async ({ check = false }: { check?: boolean }) => {
    const { checkConfiguration } = await import('./commands/check-configuration.ts');
    checkConfiguration(process.env, check);
  });

program
  .command('demo')
  .description(
    'send good, duplicate, tampered, stale and malformed webhooks to the running hub and show what became of each',
  )
  .option('--seed <text>', 'makes the same events again')
  .action(async ({ seed }: { seed?: string }) => {
    const { runDemo } = await import('./commands/run-demo.ts');
    await runDemo(process.env, seed);
  });

program
  .command('partner-apis')
  .description("run stand-ins of the partners' APIs on this machine, to try outbound deliveries without a contract")
  .option('--port <number>', 'where to listen', '3900')
  .option('--faults <names>', 'comma-separated faults to show in turn, such as resetAfterCommit', '')
  .addHelpText(
    'after',
    `\nFaults, each shown once between calls that go well:\n${textTable(Object.entries(apiFaults))}\n\nExample:\n  hub partner-apis --faults resetAfterCommit,tooMany429`,
  )
  .action(async ({ port, faults }: { port: string; faults: string }) => {
    const { runPartnerApis } = await import('./commands/run-partner-apis.ts');
    await runPartnerApis({ port: Number(port), faults: faults.split(',').filter((name) => name !== '') });
  });

program
  .command('docs')
  .description('write docs/errors.md and .env.example from the code')
  .option('--check', 'only say whether they are up to date')
  .action(async ({ check = false }: { check?: boolean }) => {
    const { writeGeneratedDocs } = await import('./commands/write-generated-docs.ts');
    await writeGeneratedDocs(check);
  });

registerKeys(program, process.env);
registerEndpoints(program, process.env);
registerReceipts(program, process.env);
registerDeliveries(program, process.env);
registerConnections(program, process.env);
registerSimulate(program, process.env);

// What names no command would otherwise be taken for an argument of the default one.
const [wanted] = process.argv.slice(2);
const known = [...program.commands.map((command) => command.name()), 'help'];
if (wanted !== undefined && !wanted.startsWith('-') && !known.includes(wanted))
  program.error(
    `hub: There is no command ${JSON.stringify(wanted.slice(0, 60))}; did you mean ${nearestName(wanted, known)}?`,
  );

try {
  await program.parseAsync();
} catch (error) {
  const { CommandError, UsageError } = await import('./commands/hub-api/command-errors.ts');
  const { EmbeddedStoreError } = await import('@impact-hub/embedded-stores');
  const { redactText } = await import('@impact-hub/core');
  const { StartError } = await import('./config/load-settings.ts');
  const isWrongHere = error instanceof StartError || error instanceof EmbeddedStoreError;
  const isExpected = isWrongHere || error instanceof CommandError;
  const text = isExpected ? error.message : `unexpected failure\n${String((error as Error).stack ?? error)}`;
  const exitCode = isWrongHere ? configurationExitCode : error instanceof UsageError ? usageExitCode : 1;
  process.stderr.write(`\nhub: ${redactText(text)}\n`, () => process.exit(exitCode));
}
