import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partnerOf } from '../partners/partner-of.ts';
import { readEvent } from '../partners/read-event.ts';
import { readTokenRequest } from '../verification/client-credentials.ts';
import { issueAccessToken, tokenAudience } from '../verification/issue-access-token.ts';
import { partnerNames, profileOf, profiles, schemesOf, type PartnerName, type SchemeName } from '../verification/profile.ts';
import { newWebhookSecret, secretKey } from '../verification/secret-key.ts';
import { newTokenKey, readTokenKey, type TokenSigningKey } from '../verification/token-key.ts';
import type { VerificationFailure } from '../verification/verification-failure.ts';
import { verifyBearer } from '../verification/verify-bearer.ts';
import { verifyHmac } from '../verification/verify-webhook.ts';
import { fetchAccessToken } from './fetch-access-token.ts';
import { faultsOf, injectFault, type FaultName } from './inject-fault.ts';
import { makeEvent } from './make-event.ts';
import { simulatePartner } from './simulate-partner.ts';

const secret = newWebhookSecret();
const issuer = 'https://hub.example';
const audience = tokenAudience('endpoint-1');
let signingKey: TokenSigningKey;
let server: Server;
let baseUrl: string;
let lastRefusal: VerificationFailure | null = null;

const verify = async (scheme: string, rawHeaders: string[], body: Buffer) => {
  const profile = profileOf(scheme);
  if (profile === null) throw new TypeError(scheme);
  const nowMs = Date.now();
  if (profile.family === 'oauth_bearer') return verifyBearer({ profile, keys: [signingKey], issuer, audience, rawHeaders, nowMs });
  const key = secretKey(secret, profile.keyEncoding);
  return verifyHmac({ profile, secrets: key === null ? [] : [{ id: 's', key }], rawHeaders, body, nowMs });
};

const answerTokenRequest = async (rawHeaders: string[], body: Buffer): Promise<[number, unknown]> => {
  const request = readTokenRequest(rawHeaders, body);
  if (!request.accepted || request.clientSecret !== 'right:%+') return [401, { error: 'invalid_client' }];
  const { clientId } = request;
  const profile = profiles['workday-oauth'];
  const token = await issueAccessToken({ profile, signingKey, issuer, audience, clientId, tokenId: 't', nowMs: Date.now() });
  return [200, { access_token: token.accessToken, token_type: 'Bearer', expires_in: token.expiresInSeconds }];
};

/** The smallest receiver there can be: verifies, reads, and remembers event ids. */
const seen = new Set<string>();
const answer = async (url: string, rawHeaders: string[], body: Buffer): Promise<[number, unknown]> => {
  const [, partner, scheme] = url.split('/');
  if (partner === 'token') return answerTokenRequest(rawHeaders, body);
  const verified = await verify(scheme ?? '', rawHeaders, body);
  lastRefusal = verified.valid ? null : verified.reason;
  if (!verified.valid) return [401, {}];
  const read = readEvent(partnerOf[partner as PartnerName], body);
  if (read.outcome !== 'event') return [202, { received: true }];
  const duplicate = seen.has(`${scheme}${read.event.eventId}`);
  seen.add(`${scheme}${read.event.eventId}`);
  return [200, { received: true, duplicate }];
};

beforeAll(async () => {
  signingKey = await readTokenKey(newTokenKey());
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const [status, body] = await answer(request.url ?? '', request.rawHeaders, Buffer.concat(chunks));
    response.writeHead(status).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

const cases = partnerNames.flatMap((partner) =>
  schemesOf(partner).flatMap((scheme) => faultsOf(scheme).map((fault): [PartnerName, SchemeName, FaultName] => [partner, scheme, fault])),
);

const hmacReasons: Partial<Record<FaultName, VerificationFailure>> = {
  tampered: 'signature_mismatch',
  stale: 'timestamp_too_old',
  future: 'timestamp_in_future',
  wrongSecret: 'signature_mismatch',
  unsigned: 'missing_signature',
};
const bearerReasons: Partial<Record<FaultName, VerificationFailure>> = {
  tampered: 'token_signature_mismatch',
  wrongSecret: 'token_signature_mismatch',
  unsigned: 'missing_token',
};

describe('a simulated partner', () => {
  it.each(cases)('%s by %s, %s: the receiver answers as documented, for the right reason', async (partner, scheme, fault) => {
    const token = () => fetchAccessToken(`${baseUrl}/token`, { clientId: 'client', clientSecret: 'right:%+' });
    const credential = scheme === 'workday-oauth' ? await token() : secret;
    const input = { partner, scheme, secret: credential, seed: `${scheme} ${fault}`, nowMs: Date.now() };
    const simulation = await simulatePartner(`${baseUrl}/${partner}/${scheme}`, fault, input);
    expect(simulation).toMatchObject({ fault, asExpected: true });
    expect(lastRefusal).toBe((scheme === 'workday-oauth' ? bearerReasons : hmacReasons)[fault] ?? null);
  });

  it('is told when the receiver does not answer as documented', async () => {
    const input = { partner: 'benevity', scheme: 'benevity-hmac', secret: 'not the secret', seed: 's', nowMs: Date.now() } as const;
    const simulation = await simulatePartner(`${baseUrl}/benevity/benevity-hmac`, 'good', input);
    expect(simulation).toMatchObject({ asExpected: false, answers: [{ status: 401, body: {} }] });
  });

  it('gets no token with wrong credentials', async () => {
    const wrong = fetchAccessToken(`${baseUrl}/token`, { clientId: 'client', clientSecret: 'wrong' });
    await expect(wrong).rejects.toThrow('401 invalid_client');
  });
});

describe('a simulated event', () => {
  const from = { seed: 'seven', nowMs: Date.UTC(2026, 2, 1) };

  it.each(partnerNames)('of %s is the same for the same seed and another for another', (partner) => {
    expect(makeEvent(partner, from).body).toEqual(makeEvent(partner, from).body);
    expect(makeEvent(partner, from).eventId).not.toBe(makeEvent(partner, { ...from, seed: 'eight' }).eventId);
  });

  it('takes a type, a correlation id and a size', () => {
    const made = makeEvent('benevity', { ...from, eventType: 'delivery.failed', correlationId: 'txn_9', fillerCharacters: 1_000 });
    expect(made.payload).toMatchObject({ event_type: 'delivery.failed', transaction_id: 'txn_9' });
    expect(made.body.length).toBeGreaterThan(1_000);
    expect(() => makeEvent('benevity', { ...from, eventType: 'nothing' })).toThrow(RangeError);
  });

  it('sent twice is byte for byte the same request', () => {
    const [first, second] = injectFault('duplicate', { ...from, partner: 'goodera', scheme: 'goodera-hmac', secret });
    expect(first).toEqual(second);
  });

  it('tampered with is still JSON of the partner, so that only the signature can tell', () => {
    const [request] = injectFault('tampered', { ...from, partner: 'workday', scheme: 'workday-hmac', secret });
    expect(readEvent(partnerOf.workday, request?.body ?? Buffer.alloc(0))).toMatchObject({ outcome: 'event' });
  });
});
