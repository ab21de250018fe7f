import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partnerOf } from '../partners/partner-of.ts';
import { readEvent } from '../partners/read-event.ts';
import { partnerNames, profileOf, schemesOf, type PartnerName, type SchemeName } from '../verification/profile.ts';
import { newWebhookSecret } from '../verification/secret-key.ts';
import type { VerificationFailure } from '../verification/verification-failure.ts';
import { fetchAccessToken } from './fetch-access-token.ts';
import { faultsOf, injectFault, type FaultName } from './inject-fault.ts';
import { makeEvent } from './make-event.ts';
import { simulatePartner } from './simulate-partner.ts';
import { startTestReceiver, type TestReceiver } from './test-receiver.ts';

const secret = newWebhookSecret();
/** With characters that a form and a header must escape. */
const clientSecret = 'right:%+';
let receiver: TestReceiver;
beforeAll(async () => {
  receiver = await startTestReceiver({ secret, clientSecret });
});
afterAll(() => receiver.close());

/** What the hub itself makes of the others is tested with the hub: they need more than one secret. */
const isKnownToReceiver = (scheme: SchemeName): boolean =>
  ['hmac', 'oauth_bearer'].includes(profileOf(scheme)?.family ?? '');

const cases = partnerNames.flatMap((partner) =>
  schemesOf(partner)
    .filter(isKnownToReceiver)
    .flatMap((scheme) =>
      faultsOf(scheme).map((fault): [PartnerName, SchemeName, FaultName] => [partner, scheme, fault]),
    ),
);

const hmacReasons: Partial<Record<FaultName, VerificationFailure>> = {
  tampered: 'signature_mismatch',
  replayedCapture: 'signature_mismatch',
  reserialised: 'signature_mismatch',
  wrongFamily: 'missing_signature',
  stale: 'timestamp_too_old',
  future: 'timestamp_in_future',
  wrongSecret: 'signature_mismatch',
  unsigned: 'missing_signature',
};
const weakReasons: Partial<Record<FaultName, VerificationFailure>> = {
  stale: 'payload_too_old',
  future: 'payload_in_future',
};
/** Those that differ from scheme to scheme. */
const ownReasons: Partial<Record<SchemeName, Partial<Record<FaultName, VerificationFailure>>>> = {
  'benevity-legacy': weakReasons,
  'goodera-legacy': weakReasons,
  'workday-legacy': weakReasons,
  'goodera-hmac': { missingHeader: 'missing_timestamp' },
  'workday-hmac': { missingHeader: 'missing_timestamp' },
  'standard-webhooks': { missingHeader: 'missing_signature' },
};
const bearerReasons: Partial<Record<FaultName, VerificationFailure>> = {
  tampered: 'token_signature_mismatch',
  wrongFamily: 'missing_token',
  wrongSecret: 'token_signature_mismatch',
  unsigned: 'missing_token',
};

describe('a simulated partner', () => {
  it.each(cases)(
    '%s by %s, %s: the receiver answers as documented, for the right reason',
    async (partner, scheme, fault) => {
      const token = () => fetchAccessToken(`${receiver.baseUrl}/token`, { clientId: 'client', clientSecret });
      const credential = scheme === 'workday-oauth' ? await token() : secret;
      const input = { partner, scheme, secret: credential, seed: `${scheme} ${fault}`, nowMs: Date.now() };
      const simulation = await simulatePartner(`${receiver.baseUrl}/${partner}/${scheme}`, fault, input);
      expect(simulation).toMatchObject({ fault, asExpected: true });
      const reasons = scheme === 'workday-oauth' ? bearerReasons : { ...hmacReasons, ...ownReasons[scheme] };
      expect(receiver.lastRefusal()).toBe(reasons[fault] ?? null);
    },
  );

  it('is told when the receiver does not answer as documented', async () => {
    const input = {
      partner: 'benevity',
      scheme: 'benevity-hmac',
      secret: 'not the secret',
      seed: 's',
      nowMs: Date.now(),
    } as const;
    const simulation = await simulatePartner(`${receiver.baseUrl}/benevity/benevity-hmac`, 'good', input);
    expect(simulation).toMatchObject({ asExpected: false, answers: [{ status: 401, body: {} }] });
  });

  it('gets no token with wrong credentials', async () => {
    const wrong = fetchAccessToken(`${receiver.baseUrl}/token`, { clientId: 'client', clientSecret: 'wrong' });
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
    const made = makeEvent('benevity', {
      ...from,
      eventType: 'delivery.failed',
      correlationId: 'txn_9',
      fillerCharacters: 1_000,
    });
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
