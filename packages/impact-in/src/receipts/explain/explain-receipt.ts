import { recordAudit, type AuditActor } from '@impact-hub/audit';
import type { Clock, Database, RequestInfo } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import { receiptPurpose, secretContext, secretPurpose } from '../../endpoints/endpoint.ts';
import { readKeptRequest, type KeptRequest } from '../../inbox/seal-request.ts';
import { receiptNotFound } from '../../problems.ts';
import type { SealedReceipt } from '../../deliveries/receipt-repository.ts';
import { compareBodies } from './compare-bodies.ts';
import { explainSteps, profileFor, reasonText, type Check } from './explain-steps.ts';
import type { Records } from '../records.ts';
import { findCauses, isValidAt, type Finding } from './find-causes.ts';
import { readCase, type ReceiptCase } from './read-case.ts';

type Deps = { db: Database; crypto: Crypto; clock: Clock; records: Pick<Records, 'inTurn'> };

export type Explainer = { actor: AuditActor; request: Pick<RequestInfo, 'id' | 'ip' | 'userAgent'> };

const openKept = async (crypto: Crypto, sealed: SealedReceipt | undefined): Promise<KeptRequest | undefined> => {
  if (sealed === undefined) return undefined;
  const { companyId, id: context } = sealed;
  return readKeptRequest(await crypto.unseal({ companyId, purpose: receiptPurpose, context, sealed: sealed.sealed }));
};

/** With their texts; what cannot be opened any more is left out. */
const openSecrets = async <S extends { id: string; ciphertext: string }>(
  crypto: Crypto,
  companyId: string,
  secrets: readonly S[],
): Promise<(S & { text: string })[]> => {
  const opened = await Promise.allSettled(
    secrets.map(async (secret) => {
      const { id, ciphertext } = secret;
      const plaintext = await crypto.decrypt({
        companyId,
        purpose: secretPurpose,
        context: secretContext(id),
        ciphertext,
      });
      return { ...secret, text: plaintext.toString('utf8') };
    }),
  );
  return opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
};

const summaryOf = ({ receipt: { outcome, reason } }: ReceiptCase): string => {
  if (outcome === 'rejected' || outcome === 'quarantined') return reasonText(reason);
  if (outcome === 'conflict') return 'The event is authentic, but its id had been taken before with other bytes.';
  return outcome === 'duplicate'
    ? 'The event is authentic and had been taken before.'
    : 'The event is authentic and was taken.';
};

const findingsOf = async (
  deps: Deps,
  companyId: string,
  found: ReceiptCase,
  kept: KeptRequest | undefined,
): Promise<Finding[]> => {
  const { receipt, endpoint } = found;
  const profile = profileFor(endpoint);
  if (endpoint === undefined || profile === null || kept === undefined) return [];
  const isAboutSignature = receipt.outcome === 'rejected' && profile.family === 'hmac';
  const own = found.secrets.filter(({ kind }) => isAboutSignature && kind === 'webhook_secret');
  const secrets = await openSecrets(deps.crypto, companyId, own);
  // Those that decided come first: the first one that fits is the one that is told.
  secrets.sort((a, b) => Number(isValidAt(b, receipt.receivedAt)) - Number(isValidAt(a, receipt.receivedAt)));
  const otherSecrets = await openSecrets(deps.crypto, companyId, isAboutSignature ? found.otherSecrets : []);
  return findCauses({ receipt, endpoint, profile, kept, secrets, otherSecrets, now: deps.clock.now() });
};

const checksOf = (
  found: ReceiptCase,
  kept: KeptRequest | undefined,
  secretIds: { atArrival: string[]; today: string[] },
): Check[] => {
  const { receipt, endpoint } = found;
  const profile = profileFor(endpoint);
  if (profile !== null) return explainSteps({ receipt, endpoint, profile, kept, secretIds });
  const failed = receipt.outcome === 'rejected' || receipt.outcome === 'quarantined' || receipt.outcome === 'conflict';
  const detail = `${summaryOf(found)} The endpoint, or its scheme, is not there any more.`;
  return [{ name: 'decision', outcome: failed ? 'failed' : 'passed', detail, advice: null }];
};

const workOut = async (deps: Deps, companyId: string, receiptId: string) => {
  const found = await deps.db.company(companyId, (tx) => readCase(tx, receiptId));
  if (found === undefined) throw receiptNotFound();
  const { receipt, original, secrets } = found;
  const kept = await openKept(deps.crypto, found.sealed);
  const keptOriginal = receipt.outcome === 'conflict' ? await openKept(deps.crypto, found.sealedOriginal) : undefined;
  const now = deps.clock.now();
  const validAt = (at: Date): string[] => secrets.filter((secret) => isValidAt(secret, at)).map(({ id }) => id);
  const secretIds = { atArrival: validAt(receipt.receivedAt), today: validAt(now) };
  return {
    receipt,
    scheme: found.endpoint?.scheme ?? null,
    summary: summaryOf(found),
    checks: checksOf(found, kept, secretIds),
    findings: await findingsOf(deps, companyId, found, kept),
    secrets: secretIds,
    original: original ?? null,
    reverification: found.reverification ?? null,
    differsAt: kept === undefined || keptOriginal === undefined ? null : compareBodies(keptOriginal.body, kept.body),
  };
};

/** What an explanation takes of the turns, about that of the largest body that is kept of a refused request. */
const workBytes = 16_384;

/**
 * Says line by line why a stored request was taken or refused, from its encrypted copy. Never says what a signature
 * should have been, and nothing of secrets but their ids. Each explanation is recorded in the audit. One is worked out at
 * a time, companies in turns.
 *
 * @throws ProblemError `impact_in.receipt_not_found`
 */
export const explainReceipt = async (deps: Deps, companyId: string, receiptId: string, explainer: Explainer) => {
  const work = () => workOut(deps, companyId, receiptId);
  const explanation = await deps.records.inTurn([companyId, 'explain'], workBytes, work);
  const { receipt, findings } = explanation;
  await deps.db.company(companyId, (tx) =>
    recordAudit(tx, {
      type: 'impact_in.receipt.explained',
      category: 'data',
      ...explainer,
      resource: { type: 'impact_in_receipt', id: receiptId },
      metadata: { outcome: receipt.outcome, reason: receipt.reason, findings: findings.map(({ name }) => name) },
    }),
  );
  return explanation;
};
