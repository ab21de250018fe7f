import { newId } from '@impact-hub/core';
import { authenticate } from '../inbox/authenticate.ts';
import { sha256 } from '../inbox/dedupe-key.ts';
import { timeOfId } from '../inbox/receipt-row.ts';
import { receiptRow } from '../inbox/test-receipts.ts';
import { maxRejectedBodyBytes } from '../inbox/record-rejected.ts';
import { sealRequest } from '../inbox/seal-request.ts';
import { storeRejected } from '../inbox/store-receipts.ts';
import { signRequest, type SignInput } from '../simulators/sign-request.ts';
import type { TestEndpoint, TestHub } from '../test-hub.ts';
import type { SchemeName } from '../verification/profile.ts';

/** Arrangement shared by the tests of stored receipts. */

export type SentRequest = { headers: [string, string][]; body: Buffer; ip?: string };

/** Signed as the endpoint's partner would. */
export const signedRequest = (
  endpoint: TestEndpoint,
  body: Buffer,
  more: Partial<SignInput> = {},
): SentRequest & { headers: [string, string][] } => ({
  headers: Object.entries(
    signRequest({
      scheme: endpoint.scheme as SchemeName,
      secret: endpoint.secret,
      body,
      nowMs: Date.now(),
      eventId: 'msg_1',
      ...more,
    }).headers,
  ),
  body,
});

/**
 * Keeps a refused request as the receiver does, without its limits.
 *
 * @param more.reason instead of what verifying says
 * @returns the receipt's id, or null when the request is authentic
 */
export const keepRejected = async (
  hub: TestHub,
  endpoint: TestEndpoint,
  { headers, body, ip = '203.0.113.7' }: SentRequest,
  more: { reason?: string } = {},
): Promise<string | null> => {
  const { deps } = hub.impactIn;
  const held = deps.endpoints.find(endpoint.id);
  if (held === undefined) throw new Error('the endpoint is not known');
  const rawHeaders = headers.flat();
  const id = newId();
  const arrival = { ip, rawHeaders, body, nowMs: timeOfId(id), issuer: deps.publicUrl, urlToken: null };
  const verified = await authenticate(held, arrival, deps);
  if (verified.valid && more.reason === undefined) return null;
  const kept = { ip, rawHeaders, body: body.subarray(0, maxRejectedBodyBytes) };
  const row = {
    id,
    companyId: endpoint.companyId,
    endpointId: endpoint.id,
    partner: endpoint.partner,
    reason: more.reason ?? (verified.valid ? null : verified.reason),
    eventId: null,
    eventType: null,
    correlationId: null,
    entityKey: null,
    secretId: null,
    requestId: newId(),
    bodyBytes: body.length,
    arrivedAtMs: performance.now(),
    sealed: sealRequest(held.sealer, id, kept),
  };
  await storeRejected(hub.db.systemSql, [row]);
  return id;
};

/** Keeps an authentic request as a receiver did that could not read it, under the digest of its bytes. */
export const keepQuarantined = async (
  hub: TestHub,
  endpoint: TestEndpoint,
  { headers, body, ip = '203.0.113.7' }: SentRequest,
): Promise<string> => {
  const { deps } = hub.impactIn;
  const held = deps.endpoints.find(endpoint.id);
  if (held === undefined) throw new Error('the endpoint is not known');
  const row = receiptRow(
    { companyId: endpoint.companyId, endpointId: endpoint.id },
    {},
    { partner: endpoint.partner, outcome: 'quarantined', reason: 'schema_mismatch: /' },
  );
  const bodySha256 = sha256(body);
  const stored = await deps.inbox.submit({
    ...row,
    eventId: null,
    eventType: null,
    bodyBytes: body.length,
    dedupeKey: bodySha256,
    bodySha256,
    sealed: sealRequest(held.sealer, row.id, { ip, rawHeaders: headers.flat(), body }),
  });
  return stored.receiptId;
};
