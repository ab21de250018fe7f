import { textTable } from '../../demo/text-table.ts';

/** What a command found, on standard output. */
export const printLine = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** What a person should know besides; standard error, so that it never ends up in a file meant for the result. */
export const note = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** Names that people choose must not be able to move the cursor or colour the terminal. */
const shown = (value: unknown): string => {
  if (value === null || value === undefined || value === '') return '-';
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(shown).join(', ');
  return String(value).replaceAll(/[\p{Cc}\p{Bidi_C}]/gu, ' ');
};

/** Rows under their headings. */
export const printTable = (headings: readonly string[], rows: readonly (readonly unknown[])[]): void =>
  printLine(textTable([headings, ...rows.map((row) => row.map(shown))]));

/** Names and values, one a line. */
export const printFields = (fields: Readonly<Record<string, unknown>>): void =>
  printLine(textTable(Object.entries(fields).map(([name, value]) => [name, shown(value)])));

export const printJson = (value: unknown): void => printLine(JSON.stringify(value, null, 2));

/** ISO times as people read them: `2026-01-31 23:00Z`. */
export const when = (at: string | null): string => (at === null ? '-' : `${at.slice(0, 10)} ${at.slice(11, 16)}Z`);

/** ISO times to the second, for what is compared with logs: `2026-01-31 23:00:05Z`. */
export const whenExactly = (at: string | null): string =>
  at === null ? '-' : `${at.slice(0, 10)} ${at.slice(11, 19)}Z`;

const units = [
  ['w', 604_800],
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
] as const;

/** Seconds as options take them, in the largest unit that they are whole ones of: `1h`, `90s`; `-` for none. */
export const duration = (seconds: number | null): string => {
  if (seconds === null) return '-';
  const [unit, size] = units.find(([, each]) => seconds > 0 && seconds % each === 0) ?? ['s', 1];
  return `${seconds / size}${unit}`;
};

/** Says that a list was cut. */
export const noteMore = ({ nextCursor }: { nextCursor: string | null }, limit: number): void => {
  if (nextCursor !== null) note(`There are more than ${limit}; see them by --limit.`);
};
