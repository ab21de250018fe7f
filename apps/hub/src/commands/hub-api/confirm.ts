import { createInterface } from 'node:readline/promises';
import { UsageError } from './command-errors.ts';
import { note } from './print.ts';

/** What is about to be done: `warning` says why to think twice, `verb` what is done to what has to be typed. */
export type Question = { id: string; warning: string; verb: string; otherwise: string };

/** @throws UsageError when nobody can be asked or the answer is not the id */
export const confirm = async ({ id, warning, verb, otherwise }: Question): Promise<void> => {
  if (!process.stdin.isTTY) throw new UsageError(`${warning} Add --yes to do it without being asked.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    // Ctrl-C and Ctrl-D end the question without an answer, on the line it stands on.
    const answer = await terminal.question(`${warning} Type ${id} to ${verb} it: `).catch(() => {
      note('');
      return '';
    });
    if (answer.trim() !== id) throw new UsageError(otherwise);
  } finally {
    terminal.close();
  }
};
