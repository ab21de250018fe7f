import { coreProblems, coversIpRange } from '@impact-hub/core';
import type { CreateApiKeyInput } from './schema.ts';
import type { ApiKeyRow } from './tables.ts';

/** What a key passes on to the keys it makes. */
export type MakerBounds = Pick<ApiKeyRow, 'expiresAt' | 'allowedIps'>;

/**
 * Holds a wanted key to the limits of the key that makes it: it ends no later, and is usable from no other addresses.
 * @throws ProblemError `request.invalid` naming the addresses that are too wide
 */
export const keepWithinMaker = (input: CreateApiKeyInput, maker: MakerBounds): CreateApiKeyInput => {
  const { allowedIps, expiresAt } = maker;
  if (allowedIps.length > 0) {
    const detail = 'Must lie within the addresses that the key making this one may be used from.';
    const errors = input.allowedIps.flatMap((range, index) =>
      coversIpRange(allowedIps, range) ? [] : [{ pointer: `/body/allowedIps/${index}`, detail }],
    );
    if (input.allowedIps.length === 0) errors.push({ pointer: '/body/allowedIps', detail });
    if (errors.length > 0)
      throw coreProblems.requestInvalid({ detail: 'allowedIps is wider than that of the key in use.', errors });
  }
  if (expiresAt === null || (input.expiresAt !== undefined && input.expiresAt <= expiresAt)) return input;
  return { ...input, expiresAt };
};
