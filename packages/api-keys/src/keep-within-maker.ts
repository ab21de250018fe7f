import { coreProblems, coversIpRange, type FieldError } from '@impact-hub/core';
import { defaultRateLimitPerMinute, type CreateApiKeyInput } from './schema.ts';
import { earlierOf } from './secret-view.ts';
import type { ApiKeyRow } from './tables.ts';

/** What a key passes on to the keys it makes. */
export type MakerBounds = Pick<ApiKeyRow, 'expiresAt' | 'allowedIps' | 'rateLimitPerMinute'>;

const addressesBeyond = (wanted: readonly string[], allowed: readonly string[]): FieldError[] => {
  if (allowed.length === 0) return [];
  const detail = 'Must lie within the addresses that the key making this one may be used from.';
  if (wanted.length === 0) return [{ pointer: '/body/allowedIps', detail }];
  return wanted.flatMap((range, index) =>
    coversIpRange(allowed, range) ? [] : [{ pointer: `/body/allowedIps/${index}`, detail }],
  );
};

const rateBeyond = (wanted: number | undefined, allowed: number): FieldError[] =>
  wanted === undefined || wanted <= allowed
    ? []
    : [{ pointer: '/body/rateLimitPerMinute', detail: `Must not exceed the ${allowed} of the key making this one.` }];

/**
 * Holds a wanted key to the limits of the key that makes it: it ends no later, may send no more per minute, and is
 * usable from no other addresses.
 * @throws ProblemError `request.invalid` naming the addresses and the rate limit that are too wide
 */
export const keepWithinMaker = (input: CreateApiKeyInput, maker: MakerBounds): CreateApiKeyInput => {
  const errors = [
    ...addressesBeyond(input.allowedIps, maker.allowedIps),
    ...rateBeyond(input.rateLimitPerMinute, maker.rateLimitPerMinute),
  ];
  if (errors.length > 0)
    throw coreProblems.requestInvalid({ detail: 'A key made by a key must stay within its limits.', errors });
  return {
    ...input,
    rateLimitPerMinute: Math.min(input.rateLimitPerMinute ?? defaultRateLimitPerMinute, maker.rateLimitPerMinute),
    expiresAt: earlierOf(input.expiresAt ?? null, maker.expiresAt) ?? undefined,
  };
};
