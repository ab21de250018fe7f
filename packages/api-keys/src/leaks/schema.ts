import { z } from 'zod';

const isStorable = (value: string): boolean => value.isWellFormed() && !value.includes('\u0000');
const text = (maxLength: number) =>
  z
    .string()
    .max(maxLength, `Must have at most ${maxLength} characters.`)
    .refine(isStorable, 'Must be text that can be stored.');

/** The report of GitHub's secret scanning partner programme. Fields it may add later are passed over. */
const report = z.object({
  token: text(500).min(1, 'Must not be empty.').describe('The key as found.'),
  type: text(100).nullish().describe('What the finder calls this kind of secret.'),
  url: text(2_048).nullish().describe('Where it was found.'),
  source: text(100).nullish().describe('The kind of place, such as `content`, `commit` or `pull_request_title`.'),
});

export const leakedKeysBody = z
  .array(report)
  .min(1, 'Give at least one report.')
  .max(100, 'Give at most 100 reports at a time.');
export const leakedKeysView = z.object({
  received: z.int().describe('How many reports were taken; whether any of them was a key is never told.'),
});

export type LeakReport = z.output<typeof report>;
