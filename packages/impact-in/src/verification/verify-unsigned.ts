import { matchClientSecret } from './client-credentials.ts';
import type { UnsignedProfile } from './profile.ts';
import { isEncoded, readHeader } from './read-header.ts';
import { refuse, type Refusal } from './verification-failure.ts';
import type { ActiveSecret, Verified } from './verify-webhook.ts';

export type UnsignedRequest = {
  profile: UnsignedProfile;
  /** Of the address; null when it has none. */
  urlToken: string | null;
  urlTokens: readonly ActiveSecret[];
  headerSecrets: readonly ActiveSecret[];
  /** Whether the endpoint names the networks that may send; without them this family refuses everything. */
  namesNetworks: boolean;
  rawHeaders: readonly string[];
};

/** Decides whether a request knows both secrets. What it says has to be confirmed all the same. */
export const verifyUnsigned = (request: UnsignedRequest): Verified | Refusal => {
  const { profile, rawHeaders } = request;
  if (isEncoded(rawHeaders)) return refuse('content_encoding');
  if (!request.namesNetworks) return refuse('profile_invalid');
  if (request.urlToken === null) return refuse('missing_url_token');
  const header = readHeader(rawHeaders, profile.secretHeader.toLowerCase());
  if (header.value === null) return refuse(header.fault === 'absent' ? 'missing_credentials' : header.fault);
  if (request.urlTokens.length === 0 || request.headerSecrets.length === 0) return refuse('no_active_secret');
  const urlTokenId = matchClientSecret(request.urlToken, request.urlTokens);
  const secretId = matchClientSecret(header.value, request.headerSecrets);
  if (urlTokenId === null || secretId === null) return refuse('credentials_mismatch');
  return { valid: true, secretId, otherSecretId: urlTokenId, timestampMs: null, eventIdFromHeader: null };
};
