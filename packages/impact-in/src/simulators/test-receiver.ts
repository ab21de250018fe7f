import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { partnerOf } from '../partners/partner-of.ts';
import { readEvent } from '../partners/read-event.ts';
import { readTokenRequest } from '../verification/client-credentials.ts';
import { issueAccessToken, tokenAudience } from '../verification/issue-access-token.ts';
import { isWeak, profileOf, profiles, type PartnerName } from '../verification/profile.ts';
import { payloadAgeFault } from '../verification/payload-age.ts';
import { secretKey } from '../verification/secret-key.ts';
import { newTokenKey, readTokenKey } from '../verification/token-key.ts';
import type { VerificationFailure } from '../verification/verification-failure.ts';
import { verifyBearer } from '../verification/verify-bearer.ts';
import { verifyHmac } from '../verification/verify-webhook.ts';

export type TestReceiver = {
  /** Receivers at `/{partner}/{scheme}`, the token endpoint at `/token`. */
  baseUrl: string;
  lastRefusal(): VerificationFailure | null;
  close(): void;
};

const maxBodyBytes = 262_144;

type Answer = [status: number, body: unknown];

/** The smallest receiver there can be, for tests: verifies over HTTP, reads, and remembers event ids. */
export const startTestReceiver = async (credentials: {
  secret: string;
  clientSecret: string;
}): Promise<TestReceiver> => {
  const signingKey = await readTokenKey(newTokenKey());
  const bearer = {
    profile: profiles['workday-oauth'],
    issuer: 'https://hub.example',
    audience: tokenAudience('endpoint-1'),
  };
  const seen = new Set<string>();
  let refusal: VerificationFailure | null = null;

  const verify = (scheme: string, rawHeaders: string[], body: Buffer) => {
    const profile = profileOf(scheme);
    if (profile === null) throw new TypeError(`no scheme ${scheme}`);
    const nowMs = Date.now();
    if (profile.family === 'oauth_bearer') return verifyBearer({ ...bearer, keys: [signingKey], rawHeaders, nowMs });
    if (profile.family !== 'hmac') throw new TypeError(`the receiver does not know ${scheme}`);
    const key = secretKey(credentials.secret, profile.keyEncoding);
    return verifyHmac({ profile, secrets: key === null ? [] : [{ id: 's', key }], rawHeaders, body, nowMs });
  };

  const ageFault = (scheme: string, body: Buffer): VerificationFailure | null => {
    const profile = profileOf(scheme);
    return profile?.family === 'hmac' && isWeak(profile) ? payloadAgeFault(profile, body, Date.now()) : null;
  };

  const issue = async (rawHeaders: string[], body: Buffer): Promise<Answer> => {
    const request = readTokenRequest(rawHeaders, body);
    if (!request.accepted || request.clientSecret !== credentials.clientSecret)
      return [401, { error: 'invalid_client' }];
    const grant = { ...bearer, signingKey, clientId: request.clientId, tokenId: 'token-1', nowMs: Date.now() };
    const { accessToken, expiresInSeconds } = await issueAccessToken(grant);
    return [200, { access_token: accessToken, token_type: 'Bearer', expires_in: expiresInSeconds }];
  };

  const receive = async (partner: string, scheme: string, rawHeaders: string[], body: Buffer): Promise<Answer> => {
    refusal = null;
    if (body.length > maxBodyBytes) return [413, {}];
    const verified = await verify(scheme, rawHeaders, body);
    refusal = verified.valid ? ageFault(scheme, body) : verified.reason;
    if (refusal !== null) return [401, {}];
    const read = readEvent(partnerOf[partner as PartnerName], body);
    if (read.outcome !== 'event') return [202, { received: true }];
    const dedupeKey = JSON.stringify([partner, scheme, read.event.eventId]);
    const duplicate = seen.has(dedupeKey);
    seen.add(dedupeKey);
    return [200, { received: true, duplicate }];
  };

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const [, partner = '', scheme = ''] = (request.url ?? '').split('/');
    const body = Buffer.concat(chunks);
    const answer =
      partner === 'token' ? issue(request.rawHeaders, body) : receive(partner, scheme, request.rawHeaders, body);
    const [status, content] = await answer;
    response.writeHead(status).end(JSON.stringify(content));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { baseUrl: `http://127.0.0.1:${port}`, lastRefusal: () => refusal, close: () => void server.close() };
};
