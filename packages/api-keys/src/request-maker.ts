import { actorOf } from '@impact-hub/audit';
import type { CompanyPrincipal, RequestInfo, Tx } from '@impact-hub/core';
import type { KeyMaker } from './create-api-key.ts';
import { apiKeyNotFound } from './problems.ts';
import { findApiKey } from './repository.ts';

/** The caller as somebody who makes or changes keys; a calling key brings its own bounds along. */
export const makerOf = async (tx: Tx, principal: CompanyPrincipal, request: RequestInfo): Promise<KeyMaker> => {
  const maker = { actor: actorOf(principal), scopes: principal.scopes, request };
  if (principal.kind !== 'api_key') return { ...maker, bounds: null };
  const own = await findApiKey(tx, principal.keyId);
  if (own === undefined) throw apiKeyNotFound();
  return { ...maker, bounds: own.key };
};
