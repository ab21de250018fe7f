import { Command } from 'commander';
import { expect, test } from 'vitest';
import { registerKeys } from './register-keys.ts';

test('every command shows an example in its help', () => {
  const program = new Command('hub');
  registerKeys(program, {});
  const [keys] = program.commands;
  const helps = (keys?.commands ?? []).map((command) => {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    return { name: command.name(), help };
  });
  expect(helps.length).toBeGreaterThanOrEqual(12);
  for (const { name, help } of helps) expect(help).toMatch(new RegExp(`Example:\\n {2}hub keys ${name}`));
});
