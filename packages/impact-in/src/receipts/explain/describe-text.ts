import type { HmacProfile } from '../../verification/profile.ts';

const shapes: readonly [RegExp, (text: string) => string][] = [
  [/^$/, () => 'nothing'],
  [/^[0-9a-fA-F]{64}$/, () => '64 hexadecimal digits'],
  [/^[A-Za-z0-9+/]{43}=$/, () => '44 characters of base64'],
  [/^[A-Za-z0-9_-]{43}=?$/, () => '32 bytes as base64url or without the pad'],
  [/^\d+$/, (text) => `${text.length} digits`],
  [/^[0-9a-fA-F]+$/, (text) => `${text.length} hexadecimal digits`],
  [/^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/, () => 'an ISO 8601 time'],
  [/^\d{4}-\d\d-\d\d/, () => 'a date, in no form of ISO 8601 with an offset'],
  [/^sha\d+=/, (text) => `a prefix \`sha…=\` and ${text.slice(text.indexOf('=') + 1).length} characters`],
  [/^v\d+[a-z]?[,=]/, () => 'a list with versions'],
  [/^t=/, () => 'a list that begins with t='],
  [/^(?:bearer|basic) /i, () => 'credentials for Authorization'],
];

/** What a text looks like, without any of it. */
export const shapeOf = (text: string): string => {
  const [, say] = shapes.find(([pattern]) => pattern.test(text)) ?? [];
  return say?.(text) ?? `${text.length} characters`;
};

const formats: Record<HmacProfile['timestampFormat'], string> = {
  unix_s: 'seconds since 1970, as digits',
  unix_ms: 'milliseconds since 1970, as digits',
  iso8601: 'ISO 8601 with T and an offset or Z, such as 2026-03-01T12:00:00Z',
  none: 'none',
};

export const formatText = (profile: HmacProfile): string => formats[profile.timestampFormat];

const containerTexts: Record<HmacProfile['container'], (profile: HmacProfile) => string> = {
  'stripe-list': () => 't=<timestamp>,v1=<signature>',
  'standard-webhooks': () => 'v1,<signature>, several parted by blanks',
  prefixed: ({ prefix = '', prefixOptional }) =>
    `${prefix}<signature>${prefixOptional === true ? ', or it alone' : ''}`,
  bare: () => '<signature>',
};

/** How a signature is expected to be written. */
export const containerText = (profile: HmacProfile): string =>
  `${containerTexts[profile.container](profile)}, the signature as ${profile.encoding === 'hex' ? '64 hexadecimal digits' : '44 characters of base64'}`;

/** A span of time for people. */
export const spanOf = (ms: number): string => {
  const seconds = Math.round(Math.abs(ms) / 1_000);
  if (seconds < 7_200) return `${seconds} s`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
};
