import { isWeak } from '../verification/profile.ts';
import { profileOfEndpoint } from './new-secrets.ts';
import type { EndpointWithSecrets } from './repository.ts';
import type { EndpointView } from './schema.ts';

export const tokenPath = '/oauth/token';

/** Where the partner sends its webhooks. */
export const endpointUrl = (publicUrl: string, endpoint: { id: string; partner: string }): string =>
  `${publicUrl}/webhooks/${endpoint.partner}/${endpoint.id}`;

/** An endpoint as the API shows it: no secret in any form. */
export const viewEndpoint = ({ endpoint, secrets }: EndpointWithSecrets, publicUrl: string): EndpointView => {
  const { companyId: _, settings, ...shown } = endpoint;
  const profile = profileOfEndpoint(endpoint);
  const family = profile?.family ?? null;
  return {
    ...shown,
    verification: family,
    weak: profile !== null && isWeak(profile),
    url: endpointUrl(publicUrl, endpoint),
    ...(settings.profile === undefined ? {} : { profile: settings.profile }),
    ...(settings.jwt === undefined ? {} : { jwt: settings.jwt }),
    ...(family === 'basic' ? { username: settings.username ?? endpoint.id } : {}),
    ...(profile?.family === 'unsigned' ? { secretHeader: profile.secretHeader } : {}),
    ...(family === 'oauth_bearer' ? { tokenUrl: `${publicUrl}${tokenPath}`, clientId: endpoint.id } : {}),
    secrets: secrets.map(({ id, kind, state, notAfter, lastMatchedAt, createdAt }) => ({
      id,
      kind,
      state,
      notAfter,
      lastMatchedAt,
      createdAt,
    })),
  };
};
