import { Command } from 'commander';

type Help = { path: string; help: string };

const helpsOf = (parent: Command | undefined, path: string): Help[] =>
  (parent?.commands ?? []).flatMap((command) => {
    const own = `${path} ${command.name()}`;
    if (command.commands.length > 0) return helpsOf(command, own);
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    return [{ path: own, help }];
  });

/** What `--help` prints for every command of a group, by the words that lead to it; for tests. */
export const readHelps = (
  group: string,
  register: (program: Command, environment: NodeJS.ProcessEnv) => void,
): Help[] => {
  const program = new Command('hub');
  register(program, {});
  return helpsOf(program.commands[0], `hub ${group}`);
};
