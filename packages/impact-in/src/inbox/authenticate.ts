import { createSecretKey, randomBytes } from 'node:crypto';
import { secretsAt, type Endpoint } from '../endpoints/endpoint.ts';
import { tokenAudience } from '../verification/issue-access-token.ts';
import { defaultSchemeOf, profileOf, type PartnerName } from '../verification/profile.ts';
import { verifyBearer } from '../verification/verify-bearer.ts';
import type { VerificationFailure } from '../verification/verification-failure.ts';
import { verifyHmac, type Verified } from '../verification/verify-webhook.ts';

export type RejectionReason = VerificationFailure | 'network_not_allowed' | 'wrong_partner';

export type Authentication = Verified | { valid: false; reason: RejectionReason };

/** What the transport knows of a webhook. */
export type Arrival = { ip: string; rawHeaders: readonly string[]; body: Buffer; nowMs: number; issuer: string };

/** Decides by the endpoint's one scheme whether the request is from its partner. */
export const authenticate = async (endpoint: Endpoint, arrival: Arrival): Promise<Authentication> => {
  const { profile } = endpoint;
  const { rawHeaders, body, nowMs } = arrival;
  if (profile === null) return { valid: false, reason: 'profile_invalid' };
  const verified =
    profile.family === 'hmac'
      ? verifyHmac({ profile, secrets: secretsAt(endpoint.webhookSecrets, nowMs), rawHeaders, body, nowMs })
      : await verifyBearer({
          profile,
          keys: endpoint.tokenKeys,
          issuer: arrival.issuer,
          audience: tokenAudience(endpoint.id),
          rawHeaders,
          nowMs,
        });
  if (!verified.valid) return verified;
  const mayCome = endpoint.allowsIp === null || endpoint.allowsIp(arrival.ip);
  return mayCome ? verified : { valid: false, reason: 'network_not_allowed' };
};

const nobodysSecret = [{ id: 'none', key: createSecretKey(randomBytes(32)) }];

/** Spends about the time of a real verification on a request to an endpoint that does not exist. */
export const pretendToAuthenticate = (partner: PartnerName, arrival: Arrival): void => {
  const profile = profileOf(defaultSchemeOf(partner));
  if (profile?.family === 'hmac') verifyHmac({ ...arrival, profile, secrets: nobodysSecret });
};
