import { z } from 'zod';

/** The hub refused or does not answer: plain sentences, exit code 1. */
export class KeysError extends Error {
  override readonly name: string = 'KeysError';
}

/** The command line is wrong: exit code 2. */
export class UsageError extends KeysError {
  override readonly name = 'UsageError';
}

const problem = z.object({
  title: z.string(),
  detail: z.string().optional(),
  remedy: z.string().optional(),
  requestId: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
});

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
// Whatever answers there must not be able to move the cursor or colour the terminal.
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ');

/** What the hub said, for a person: what is wrong, what to do, and which field it is about. */
export const explainProblem = (status: number, body: unknown, url: string): string => {
  const parsed = problem.safeParse(body);
  if (!parsed.success)
    return `What answers at ${url} is no hub (status ${status}). Give the address of the hub by --url.`;
  const { title, detail, remedy, errors = [], requestId } = parsed.data;
  const lines = [
    [detail ?? title, remedy]
      .filter((text) => text !== undefined)
      .map(sentence)
      .join(' '),
  ];
  for (const { pointer, detail: what } of errors)
    lines.push(`  ${pointer.replace(/^\/(?:body|query|params)\//, '').replaceAll('/', ' ') || pointer}: ${what}`);
  if (status >= 500 && requestId !== undefined) lines.push(`Request ${requestId} in the log of the hub tells more.`);
  return lines.map(printable).join('\n');
};
