import type { ConnectionRow } from '../tables.ts';

/**
 * Circuits are of services: all connections to one API and address share them. With the path, so that an address that
 * only looks like the partner's opens no circuit but its own.
 */
export const breakerNameOf = ({ api, baseUrl }: Pick<ConnectionRow, 'api' | 'baseUrl'>): string =>
  `partner:${api}:${baseUrl.replace(/^https?:\/\//, '')}`.slice(0, 200);

/**
 * Calls that hang take 20 s to fail, hence the long window. Half of the calls have to fail, so that a single company's
 * failures open no circuit that others keep busy with successes.
 */
export const partnerBreaker = { failureWindowMs: 120_000, minFailureShare: 0.5 } as const;
