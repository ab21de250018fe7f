import { actorOf } from '@impact-hub/audit';
import type { Clock, CompanyPrincipal, RequestInfo, Tx } from '@impact-hub/core';
import { boundsOf } from './calling-key.ts';
import type { KeyMaker } from './create-api-key.ts';

type Call = { principal: CompanyPrincipal; request: RequestInfo; deps: { clock: Clock } };

/**
 * The caller as somebody who makes or changes keys. A calling key brings its own bounds along, and stays as it is until
 * the transaction ends.
 * @param keyId the key to change; left out when one is made
 * @throws ProblemError `auth.unauthenticated` for a calling key that is no longer good, `api_keys.beyond_own_access`
 *   for one that came with an old secret
 */
export const makerOf = async (tx: Tx, { principal, request, deps }: Call, keyId?: string): Promise<KeyMaker> => ({
  actor: actorOf(principal),
  scopes: principal.scopes,
  request,
  bounds: principal.kind === 'api_key' ? await boundsOf(tx, deps.clock, principal, keyId) : null,
});
