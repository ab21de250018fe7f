import type { Clock } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import type { SealedReceipt, ReceiptSummary } from '../../deliveries/receipt-repository.ts';
import { receiptPurpose, type Endpoint } from '../../endpoints/endpoint.ts';
import { authenticate, type TokenChecks } from '../../inbox/authenticate.ts';
import { dedupeKeyOf, sha256 } from '../../inbox/dedupe-key.ts';
import { quarantineReason } from '../../inbox/receive-webhook.ts';
import { readKeptRequest, type KeptRequest } from '../../inbox/seal-request.ts';
import { awaitingConfirmation } from '../../inbox/store-receipts.ts';
import { partnerOf } from '../../partners/partner-of.ts';
import { readEvent } from '../../partners/read-event.ts';
import type { Records } from '../records.ts';

/** A receipt with what is needed to say whether it would be taken today. */
export type Candidate = { receipt: ReceiptSummary; sealed: SealedReceipt | undefined };

export type Judgement =
  | { verdict: 'refused'; reason: string }
  | {
      verdict: 'authentic';
      /** Whether the partner's API has to confirm it before it is processed. */
      needsConfirmation: boolean;
      eventId: string | null;
      secretId: string | null;
      dedupeKey: Buffer;
      bodySha256: Buffer;
    };

type Deps = TokenChecks & {
  crypto: Crypto;
  clock: Clock;
  publicUrl: string;
  endpoints: { find(id: string): Endpoint | undefined };
  records: Pick<Records, 'retention'>;
};

const refused = (reason: string): Judgement => ({ verdict: 'refused', reason });

/**
 * Refusals that stand whatever the settings are today: what was too late at arrival may be an old request that somebody
 * sent once more, and nothing that is changed later makes it less so.
 */
const final: ReadonlySet<string> = new Set([
  'timestamp_too_old',
  'timestamp_in_future',
  'payload_too_old',
  'payload_in_future',
  'token_replayed',
  'wrong_partner',
]);

const dayMs = 86_400_000;
/**
 * As long as senders repeat an event, and some: a copy of an event that was taken has to be recognised as such, which is
 * only sure while the first one is still remembered.
 */
const marginDays = 7;

const isTooOld = (receivedAt: Date, deps: Deps): boolean =>
  deps.clock.nowMs() - receivedAt.getTime() > (deps.records.retention.dedupe - marginDays) * dayMs;

type Proof = { proven: true; secretId: string | null; eventId: string | null } | { proven: false; reason: string };

/** Verifies a refused request with the secrets of today and the clock at its arrival. */
const prove = async (receipt: ReceiptSummary, kept: KeptRequest, endpoint: Endpoint, deps: Deps): Promise<Proof> => {
  if (receipt.outcome === 'quarantined') return { proven: true, secretId: receipt.secretId, eventId: receipt.eventId };
  if (final.has(receipt.reason ?? '')) return { proven: false, reason: receipt.reason ?? '' };
  if (kept.body.length !== receipt.bodyBytes) return { proven: false, reason: 'body_cut' };
  if (endpoint.state === 'paused') return { proven: false, reason: 'endpoint_paused' };
  if (endpoint.profile?.family !== 'hmac')
    // A paused endpoint refuses only what is authentic. Other credentials are not kept, so nothing can be proven.
    return receipt.reason === 'endpoint_paused'
      ? { proven: true, secretId: null, eventId: null }
      : { proven: false, reason: 'credentials_not_kept' };
  const nowMs = receipt.receivedAt.getTime();
  const verified = await authenticate(endpoint, { ...kept, nowMs, issuer: deps.publicUrl, urlToken: null }, deps);
  if (!verified.valid) return { proven: false, reason: verified.reason };
  return { proven: true, secretId: verified.secretId, eventId: verified.eventIdFromHeader };
};

const openKept = async (crypto: Crypto, sealed: SealedReceipt): Promise<KeptRequest> => {
  const { companyId, id: context } = sealed;
  return readKeptRequest(await crypto.unseal({ companyId, purpose: receiptPurpose, context, sealed: sealed.sealed }));
};

/** Whether a refused or quarantined receipt would be taken today. Writes nothing. */
export const judgeReceipt = async (deps: Deps, { receipt, sealed }: Candidate): Promise<Judgement> => {
  if (receipt.outcome !== 'rejected' && receipt.outcome !== 'quarantined') return refused('not_refused');
  if (receipt.reason === awaitingConfirmation) return refused(awaitingConfirmation);
  if (isTooOld(receipt.receivedAt, deps)) return refused('too_old');
  const endpoint = deps.endpoints.find(receipt.endpointId);
  if (endpoint === undefined) return refused('endpoint_gone');
  if (sealed === undefined) return refused('not_kept');
  const kept = await openKept(deps.crypto, sealed);
  const proof = await prove(receipt, kept, endpoint, deps);
  if (!proof.proven) return refused(proof.reason);
  const read = readEvent(partnerOf[receipt.partner], kept.body);
  if (read.outcome !== 'event') return refused(quarantineReason(read));
  const bodySha256 = sha256(kept.body);
  const eventId = read.event.eventId ?? proof.eventId;
  return {
    verdict: 'authentic',
    needsConfirmation: endpoint.profile?.family === 'unsigned',
    eventId,
    secretId: proof.secretId,
    dedupeKey: dedupeKeyOf(eventId, bodySha256),
    bodySha256,
  };
};
