import type { ConnectionRow } from '../tables.ts';

/**
 * Each connection has a circuit of its own: whatever goes wrong for one, by its tenant, its credentials or on purpose,
 * is no reason not to call the partner for another company. Who else has trouble finds out with five calls.
 */
export const breakerNameOf = ({ api, id }: Pick<ConnectionRow, 'api' | 'id'>): string => `partner:${api}:${id}`;

/**
 * Calls that hang take 20 s to fail, hence the long window. Half of the calls have to fail, so that a few events a
 * partner stumbles over do not keep the others waiting.
 */
export const partnerBreaker = { failureWindowMs: 120_000, minFailureShare: 0.5 } as const;
