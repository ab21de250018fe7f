import { InvalidArgumentError } from 'commander';

const unitSeconds = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;

/** `90d`, `24h`, `30m`, `45s`, `2w` as seconds. @throws InvalidArgumentError */
export const parseDuration = (text: string): number => {
  const [, amount, unit] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  if (amount === undefined || unit === undefined)
    throw new InvalidArgumentError('Use a whole number with a unit, such as 45s, 30m, 24h, 90d or 2w.');
  return Number(amount) * unitSeconds[unit as keyof typeof unitSeconds];
};

/** @throws InvalidArgumentError */
export const parseCount = (text: string): number => {
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0) throw new InvalidArgumentError('Use a whole number above 0.');
  return Number(text);
};

/** Gathers an option that may be given several times or with commas. */
export const gather = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
];

/** A day or a time with its zone, as the hub takes it; a day stands for its beginning in UTC. @throws InvalidArgumentError */
export const parseMoment = (text: string): string => {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
  if (!/^\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d{2}:\d{2})$/.test(at) || Number.isNaN(Date.parse(at)))
    throw new InvalidArgumentError(
      'Use a day or a time with its zone, such as 2027-01-31 or 2027-01-31T09:00:00+01:00.',
    );
  return at;
};

/** Gathers `key=value` options; values are texts and may hold further equal signs. @throws InvalidArgumentError */
export const gatherPairs = (text: string, before: readonly [string, string][] = []): [string, string][] => {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Use a name and a value, such as team=payroll.');
  return [...before, [text.slice(0, at), text.slice(at + 1)]];
};
