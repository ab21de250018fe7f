import type { Clock } from '@impact-hub/core';
import { isWeak } from '../verification/profile.ts';
import { profileOfEndpoint } from './new-secrets.ts';
import type { EndpointWithSecrets } from './repository.ts';
import type { EndpointView } from './schema.ts';
import type { SecretRow } from '../tables.ts';

export const tokenPath = '/oauth/token';

/** Where the partner sends its webhooks. */
export const endpointUrl = (publicUrl: string, endpoint: { id: string; partner: string }): string =>
  `${publicUrl}/webhooks/${endpoint.partner}/${endpoint.id}`;

/** Whether it is accepted at a moment. */
export const isValidAt = ({ state, notAfter }: Pick<SecretRow, 'state' | 'notAfter'>, now: Date): boolean =>
  state === 'active' && (notAfter === null || notAfter > now);

const lastMatched = (secrets: readonly SecretRow[]): SecretRow | undefined =>
  secrets
    .filter(({ lastMatchedAt }) => lastMatchedAt !== null)
    .toSorted((a, b) => Number(b.lastMatchedAt) - Number(a.lastMatchedAt))[0];

/** An endpoint as the API shows it: no secret in any form. */
export const viewEndpoint = (
  { endpoint, secrets, heardAt }: EndpointWithSecrets,
  { publicUrl, clock }: { publicUrl: string; clock: Clock },
): EndpointView => {
  const { companyId: _, deletedAt: _deletedAt, hintSince: _hintSince, expectedSince: _since, ...shown } = endpoint;
  const { settings } = endpoint;
  const now = clock.now();
  const profile = profileOfEndpoint(endpoint);
  const family = profile?.family ?? null;
  return {
    ...shown,
    lastReceivedAt: heardAt,
    lastMatchedSecretId: lastMatched(secrets)?.id ?? null,
    verification: family,
    weak: profile !== null && isWeak(profile),
    url: endpointUrl(publicUrl, endpoint),
    ...(settings.profile === undefined ? {} : { profile: settings.profile }),
    ...(settings.jwt === undefined ? {} : { jwt: settings.jwt }),
    ...(family === 'basic' ? { username: settings.username ?? endpoint.id } : {}),
    ...(profile?.family === 'unsigned' ? { secretHeader: profile.secretHeader } : {}),
    ...(family === 'oauth_bearer' ? { tokenUrl: `${publicUrl}${tokenPath}`, clientId: endpoint.id } : {}),
    secrets: secrets.map(({ id, kind, generation, notAfter, lastMatchedAt, createdAt, ...secret }) => ({
      id,
      kind,
      generation,
      state: isValidAt({ notAfter, ...secret }, now) ? ('active' as const) : ('retired' as const),
      notAfter,
      lastMatchedAt,
      createdAt,
    })),
  };
};
