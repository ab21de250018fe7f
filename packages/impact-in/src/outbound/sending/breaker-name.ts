import type { ConnectionRow } from '../tables.ts';

/** Circuits are of services: all connections to one API and host share them. */
export const breakerNameOf = ({ api, baseUrl }: Pick<ConnectionRow, 'api' | 'baseUrl'>): string =>
  `partner:${api}:${new URL(baseUrl).host}`;
