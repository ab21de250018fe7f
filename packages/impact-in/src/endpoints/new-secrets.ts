import { randomBytes } from 'node:crypto';
import type { SecretRow } from '../tables.ts';
import { newClientSecret } from '../verification/client-credentials.ts';
import { customProfileSchema, hmacProfileOf } from '../verification/custom-profile.ts';
import { customScheme, profileOf, type HmacProfile, type Profile } from '../verification/profile.ts';
import { newWebhookSecret } from '../verification/secret-key.ts';
import { newTokenKey } from '../verification/token-key.ts';
import type { EndpointSettings } from './scheme-settings.ts';

/** Shown once; which they are follows from the scheme. `nothing` where the company or its partner has made the secret. */
export type EndpointCredentials =
  | { secret: string }
  | { clientId: string; clientSecret: string }
  | { username: string; password: string }
  | { urlToken: string; headerToken: string }
  | { nothing: true };

export type NewSecrets = { credentials: EndpointCredentials; texts: { kind: SecretRow['kind']; text: string }[] };

/** Named so that they are recognised wherever they turn up, with 256 random bits. */
const newToken = (prefix: string): string => `${prefix}_${randomBytes(32).toString('base64url')}`;

/** In the encoding that the profile reads it by. */
const newHmacSecret = ({ keyEncoding }: HmacProfile): string =>
  keyEncoding === 'hex' || keyEncoding === 'base64' ? randomBytes(32).toString(keyEncoding) : newWebhookSecret();

/** The profile of an endpoint without its own tolerance; null for a scheme that nobody knows, or a damaged profile. */
export const profileOfEndpoint = (endpoint: { scheme: string; settings: EndpointSettings }): Profile | null => {
  if (endpoint.scheme !== customScheme) return profileOf(endpoint.scheme);
  const parsed = customProfileSchema.safeParse(endpoint.settings.profile);
  return parsed.success ? hmacProfileOf(parsed.data) : null;
};

type Owner = { id: string; scheme: string; settings: EndpointSettings };

/**
 * New secrets for an endpoint as texts to be stored encrypted, and what the caller gets to see of them. A scheme whose
 * partner signs with a key of its own has none.
 *
 * @param given the secret that the sender has made, instead of a new one
 */
export const makeSecrets = (endpoint: Owner, given?: string): NewSecrets => {
  const profile = profileOfEndpoint(endpoint);
  if (profile === null) throw new TypeError(`there is no scheme ${endpoint.scheme}`);
  switch (profile.family) {
    case 'hmac': {
      const secret = given ?? newHmacSecret(profile);
      return {
        credentials: given === undefined ? { secret } : { nothing: true },
        texts: [{ kind: 'webhook_secret', text: secret }],
      };
    }
    case 'oauth_bearer': {
      const clientSecret = newClientSecret();
      const texts = [
        { kind: 'client_secret' as const, text: clientSecret },
        { kind: 'token_key' as const, text: newTokenKey() },
      ];
      // The endpoint's id is its client id: one name less to confuse.
      return { credentials: { clientId: endpoint.id, clientSecret }, texts };
    }
    case 'jwt':
      return { credentials: { nothing: true }, texts: [] };
    case 'basic': {
      const password = newToken('hubpw');
      const username = endpoint.settings.username ?? endpoint.id;
      return { credentials: { username, password }, texts: [{ kind: 'password', text: password }] };
    }
    case 'unsigned': {
      const [urlToken, headerToken] = [newToken('hubut'), newToken('hubht')];
      const texts = [
        { kind: 'url_token' as const, text: urlToken },
        { kind: 'header_token' as const, text: headerToken },
      ];
      return { credentials: { urlToken, headerToken }, texts };
    }
  }
};
