import { Command } from 'commander';
import { expect, test } from 'vitest';
import { registerDeliveries } from './register-deliveries.ts';

const helpsOf = (parent: Command | undefined, path: string): { path: string; help: string }[] =>
  (parent?.commands ?? []).flatMap((command) => {
    const own = `${path} ${command.name()}`;
    if (command.commands.length > 0) return helpsOf(command, own);
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    return [{ path: own, help }];
  });

test('every command shows an example in its help', () => {
  const program = new Command('hub');
  registerDeliveries(program, {});
  const helps = helpsOf(program.commands[0], 'hub deliveries');
  expect(helps.length).toBeGreaterThanOrEqual(9);
  for (const { path, help } of helps) expect(help).toMatch(new RegExp(`Example:\\n {2}${path}`));
});
