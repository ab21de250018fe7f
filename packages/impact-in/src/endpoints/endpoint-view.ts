import { profileOf } from '../verification/profile.ts';
import type { EndpointWithSecrets } from './repository.ts';
import type { EndpointView } from './schema.ts';

export const tokenPath = '/oauth/token';

/** Where the partner sends its webhooks. */
export const endpointUrl = (publicUrl: string, endpoint: { id: string; partner: string }): string =>
  `${publicUrl}/webhooks/${endpoint.partner}/${endpoint.id}`;

/** An endpoint as the API shows it: no secret in any form. */
export const viewEndpoint = ({ endpoint, secrets }: EndpointWithSecrets, publicUrl: string): EndpointView => {
  const { companyId: _, ...shown } = endpoint;
  const isOauth = profileOf(endpoint.scheme)?.family === 'oauth_bearer';
  return {
    ...shown,
    url: endpointUrl(publicUrl, endpoint),
    ...(isOauth ? { tokenUrl: `${publicUrl}${tokenPath}`, clientId: endpoint.id } : {}),
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
