import { newId, type Clock } from '@impact-hub/core';
import { matchClientSecret, readTokenRequest, type TokenRequestError } from '../verification/client-credentials.ts';
import { issueAccessToken, tokenAudience, type AccessToken } from '../verification/issue-access-token.ts';
import { secretsAt } from './endpoint.ts';
import type { EndpointDirectory } from './endpoint-directory.ts';
import type { MatchedSecrets } from './note-matched-secrets.ts';

type Deps = { endpoints: EndpointDirectory; matchedSecrets: MatchedSecrets; clock: Clock; publicUrl: string };

export type TokenAnswer =
  | { granted: true; token: AccessToken }
  | { granted: false; error: TokenRequestError | 'temporarily_unavailable' };

/**
 * Answers a token request by client credentials (RFC 6749 §4.4). The token is good for one endpoint only, so it is
 * signed with a key of that endpoint. An unknown client and a wrong secret are told apart by nobody.
 */
export const grantToken = async (deps: Deps, rawHeaders: readonly string[], body: Buffer): Promise<TokenAnswer> => {
  const request = readTokenRequest(rawHeaders, body);
  if (!request.accepted) return { granted: false, error: request.error };
  if (!deps.endpoints.isCurrent()) return { granted: false, error: 'temporarily_unavailable' };
  const nowMs = deps.clock.nowMs();
  const endpoint = deps.endpoints.find(request.clientId);
  const secrets = secretsAt(endpoint?.clientSecrets ?? [], nowMs);
  const secretId = matchClientSecret(request.clientSecret, secrets);
  const generation = secrets.find(({ id }) => id === secretId)?.generation;
  // The key that ends with the secret: a token must not outlive what it was granted for.
  const signingKey = secretsAt(endpoint?.tokenKeys ?? [], nowMs).find((key) => key.generation === generation);
  if (endpoint?.profile?.family !== 'oauth_bearer' || secretId === null || signingKey === undefined)
    return { granted: false, error: 'invalid_client' };
  deps.matchedSecrets.note(secretId, nowMs);
  const token = await issueAccessToken({
    profile: endpoint.profile,
    signingKey,
    issuer: deps.publicUrl,
    audience: tokenAudience(endpoint.id),
    clientId: endpoint.id,
    tokenId: newId(),
    nowMs,
  });
  return { granted: true, token };
};
