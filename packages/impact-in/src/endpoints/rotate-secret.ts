import { coreProblems, type Clock, type Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import { sealSecrets, type EndpointMaker } from './create-endpoint.ts';
import { viewEndpoint } from './endpoint-view.ts';
import { makeSecrets, profileOfEndpoint, type EndpointCredentials } from './new-secrets.ts';
import { planRotation } from './plan-rotation.ts';
import { noSecretToRotate } from './problems.ts';
import { recordEndpointChange } from './record-endpoint-change.ts';
import { findEndpoint, insertSecrets, lockEndpoint, updateEndpoint, updateSecrets } from './repository.ts';
import type { RotateSecretInput } from './rotation-schema.ts';
import type { EndpointView } from './schema.ts';
import type { EndpointRow } from '../tables.ts';
import { customScheme } from '../verification/profile.ts';
import { secretKey } from '../verification/secret-key.ts';

type Deps = { crypto: Crypto; clock: Clock; publicUrl: string };

const faultOfGivenSecret = (endpoint: EndpointRow, secret: string): string | null => {
  const profile = profileOfEndpoint(endpoint);
  if (endpoint.scheme !== customScheme || profile?.family !== 'hmac')
    return `is not taken by ${endpoint.scheme}: the hub makes its secrets`;
  return secretKey(secret, profile.keyEncoding) === null
    ? `must be a key in the encoding ${profile.keyEncoding}`
    : null;
};

/** The sender of a custom profile may make the secret; all others get one made. */
const refuseForeignSecret = (endpoint: EndpointRow, secret: string | undefined): void => {
  const detail = secret === undefined ? null : faultOfGivenSecret(endpoint, secret);
  if (detail === null) return;
  throw coreProblems.requestInvalid({
    detail: 'The secret does not fit the endpoint.',
    errors: [{ pointer: '/body/secret', detail }],
  });
};

/**
 * Gives an endpoint a new secret; the old one stays valid for the overlap, so that the partner can change over without
 * losing an event. The answer is the only place where the new one ever appears.
 *
 * @throws ProblemError `impact_in.endpoint_not_found`; `impact_in.no_secret_to_rotate` where the partner signs with keys
 * of its own; `impact_in.rotation_overlaps`; `request.invalid` for a secret that the scheme does not take
 */
export const rotateSecret = async (
  tx: Tx,
  deps: Deps,
  maker: EndpointMaker,
  target: { id: string; rotation: RotateSecretInput },
): Promise<{ endpoint: EndpointView; credentials: EndpointCredentials; oldSecretEndsAt: Date | null }> => {
  const { overlapSeconds, force, secret, reason } = target.rotation;
  const { endpoint, secrets } = await lockEndpoint(tx, target.id);
  // After the lock: two rotations at once follow each other.
  const now = deps.clock.now();
  refuseForeignSecret(endpoint, secret);
  const { credentials, texts } = makeSecrets(endpoint, secret);
  if (texts.length === 0) throw noSecretToRotate();
  const plan = planRotation(secrets, { overlapSeconds, force }, now);
  await updateSecrets(tx, plan.ending, { state: 'retired', notAfter: now });
  await updateSecrets(tx, plan.old, { state: 'active', notAfter: plan.oldNotAfter });
  await insertSecrets(tx, await sealSecrets(deps, endpoint, texts, now, plan.generation));
  await updateEndpoint(tx, endpoint.id, { updatedAt: now });
  const oldSecretEndsAt = plan.old.length === 0 ? null : plan.oldNotAfter;
  await recordEndpointChange(tx, maker, endpoint.id, {
    type: 'impact_in.endpoint.secret_rotated',
    category: 'security',
    changes: { generation: { from: plan.generation - 1, to: plan.generation } },
    metadata: {
      reason: reason ?? null,
      overlapSeconds,
      oldSecretEndsAt,
      forced: force,
      endedAtOnce: plan.ending.map(({ id }) => id),
    },
  });
  const found = await findEndpoint(tx, endpoint.id);
  if (found === undefined) throw new Error('a locked endpoint cannot vanish');
  return { endpoint: viewEndpoint(found, deps), credentials, oldSecretEndsAt };
};
