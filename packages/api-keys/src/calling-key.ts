import { coreProblems, type ApiKeyPrincipal, type Clock, type Tx } from '@impact-hub/core';
import { statusOf } from './api-key-view.ts';
import type { MakerBounds } from './keep-within-maker.ts';
import { beyondOwnAccess } from './problems.ts';
import { lockApiKey } from './repository.ts';
import { selectSecrets } from './secret-repository.ts';
import { awaitsFirstUse, earlierOf, isLive } from './secret-view.ts';
import type { ApiKeyRow } from './tables.ts';

/** The same answer as to any credentials that are not good. */
const unauthenticated = (authReason: string) =>
  coreProblems.unauthenticated({
    headers: { 'www-authenticate': 'Bearer realm="impact-hub"' },
    context: { authReason },
  });

/** Two keys that change each other at the same time lock both in the same order, and one that changes itself once. */
const lockInOrder = async (tx: Tx, own: string, changing: string | undefined): Promise<ApiKeyRow | undefined> => {
  if (changing === own) return lockApiKey(tx, own);
  if (changing !== undefined && changing < own) await lockApiKey(tx, changing);
  return lockApiKey(tx, own, 'share');
};

/**
 * What the calling key may pass on. A request is let in before its body arrives, so the key may have ended since:
 * it is looked at again, and locked, so that whoever revokes it comes before or after this transaction, never between.
 * Keys are changed with the current secret only, or whoever kept an old one could stay for good; while a rotation
 * waits for the first use of the new secret, the old one still counts as current.
 * @throws ProblemError `auth.unauthenticated`, `api_keys.beyond_own_access`
 */
export const boundsOf = async (
  tx: Tx,
  clock: Clock,
  { keyId, secretId }: ApiKeyPrincipal,
  changing: string | undefined,
): Promise<MakerBounds> => {
  const key = await lockInOrder(tx, keyId, changing);
  if (key === undefined) throw unauthenticated('unknown');
  const now = clock.now();
  const status = statusOf(key, now);
  if (status !== 'active') throw unauthenticated(status);
  const secrets = await selectSecrets(tx, key.id);
  const [newest] = secrets;
  const presented = secrets.find(({ id }) => id === secretId);
  if (newest === undefined || presented === undefined || !isLive(presented, now)) throw unauthenticated('expired');
  if (presented !== newest && !awaitsFirstUse(newest))
    throw beyondOwnAccess({ detail: 'The secret in use has been replaced: use the current secret of the key.' });
  const { allowedIps, rateLimitPerMinute } = key;
  return { allowedIps, rateLimitPerMinute, expiresAt: earlierOf(key.expiresAt, presented.expiresAt) };
};
