import { partnerOf } from '../../partners/partner-of.ts';
import { readEvent } from '../../partners/read-event.ts';
import type { KeptRequest } from '../../inbox/seal-request.ts';
import type { ReceiptSummary } from '../../deliveries/receipt-repository.ts';
import type { EndpointRow, SecretRow } from '../../tables.ts';
import type { Profile } from '../../verification/profile.ts';
import { createEffort } from './effort.ts';
import { kindOfReason } from './explain-steps.ts';
import { findMistakes, findSecret, type CandidateSecret, type Evidence } from './find-mistakes.ts';
import { otherSchemesOf } from './presented-digests.ts';

export type Finding = { name: string; detail: string; advice: string; secretId: string | null };

export type CauseFacts = {
  receipt: ReceiptSummary;
  endpoint: EndpointRow;
  profile: Profile;
  kept: KeptRequest;
  secrets: readonly (SecretRow & CandidateSecret)[];
  otherSecrets: readonly (CandidateSecret & { endpointId: string; endpointName: string })[];
  now: Date;
};

export const isValidAt = ({ createdAt, state, notAfter }: SecretRow, at: Date): boolean =>
  createdAt <= at && (notAfter === null ? state === 'active' : notAfter > at);

const reverify = 'Verify the receipt again (POST …/receipts/{id}/reverify): it would be taken now.';

const finding = (name: string, detail: string, advice: string, secretId: string | null = null): Finding => ({
  name,
  detail,
  advice,
  secretId,
});

/** The signature is what the profile says, by a secret of the endpoint. */
const ownSecretFinding = ({ receipt, now }: CauseFacts, secret: SecretRow): Finding => {
  const { id, notAfter, createdAt } = secret;
  if (isValidAt(secret, receipt.receivedAt)) {
    const reason = kindOfReason(receipt.reason);
    if (reason === 'signature_mismatch')
      return finding('verifies_today', 'By the settings of today the signature is right.', reverify, id);
    const isTime = reason === 'timestamp_too_old' || reason === 'timestamp_in_future';
    return isTime
      ? finding(
          'clock_is_off',
          'The signature is right, and only its time is not: the sender’s clock is off, the request was held up on its way, or somebody has sent it once more.',
          'Compare the sender’s clock with the hub’s, and have each attempt signed anew.',
          id,
        )
      : finding(
          'signature_is_right',
          'The signature itself is right; only what failed above has to be mended.',
          'See the line that failed.',
          id,
        );
  }
  if (createdAt > receipt.receivedAt)
    return finding(
      'secret_is_newer',
      `It was signed with a secret that was made only at ${createdAt.toISOString()}.`,
      isValidAt(secret, now) ? reverify : 'Have the event sent again.',
      id,
    );
  return finding(
    'secret_has_ended',
    `It was signed with the secret that was retired${notAfter === null ? '' : ` on ${notAfter.toISOString()}`}.`,
    'Hand the present secret to the partner; what it sends with the old one stays refused.',
    id,
  );
};

const signatureFindings = async (facts: CauseFacts): Promise<Finding[]> => {
  const { profile, kept, secrets, otherSecrets } = facts;
  if (profile.family !== 'hmac') return [];
  const evidence: Evidence = { profile, rawHeaders: kept.rawHeaders, body: kept.body };
  const effort = createEffort();
  const ownId = await findSecret(evidence, secrets, effort);
  const own = secrets.find(({ id }) => id === ownId);
  if (own !== undefined) {
    const written = (await findMistakes(evidence, [own], effort))?.mistakes ?? [];
    return [ownSecretFinding(facts, own), ...written.map((mistake) => ({ ...mistake, secretId: own.id }))];
  }
  const otherId = await findSecret(evidence, otherSecrets, effort);
  const other = otherSecrets.find(({ id }) => id === otherId);
  if (other !== undefined)
    return [
      finding(
        'secret_of_another_endpoint',
        `It was signed with the secret of the endpoint ${other.endpointId} (${other.endpointName}).`,
        'Use the address and the secret of the same endpoint.',
        other.id,
      ),
    ];
  const match = await findMistakes(evidence, secrets, effort);
  return match === null ? [] : match.mistakes.map((mistake) => ({ ...mistake, secretId: match.secretId }));
};

/**
 * Why a refused or quarantined request is so, as far as its kept copy proves it. What needs the whole body is left out
 * when only its beginning was kept.
 */
export const findCauses = async (facts: CauseFacts): Promise<Finding[]> => {
  const { receipt, endpoint, profile, kept } = facts;
  const findings: Finding[] = [];
  const isWhole = kept.body.length === receipt.bodyBytes;
  if (receipt.outcome === 'rejected') {
    const others = ['missing_signature', 'missing_token', 'missing_credentials'].includes(
      kindOfReason(receipt.reason) ?? '',
    )
      ? otherSchemesOf(profile, kept.rawHeaders)
      : [];
    if (others.length > 0)
      findings.push(
        finding(
          'other_scheme',
          `The request has the signature header of ${others.join(', ')}, while the endpoint’s scheme is ${endpoint.scheme}.`,
          'Have the partner sign by the endpoint’s scheme, or create an endpoint with the partner’s.',
        ),
      );
    if (isWhole) findings.push(...(await signatureFindings(facts)));
    else
      findings.push(
        finding(
          'body_cut',
          'Only the beginning of the body was kept, so the signature cannot be worked out again.',
          'Have the event sent again.',
        ),
      );
  }
  if (receipt.outcome === 'quarantined' && kindOfReason(receipt.reason) !== 'awaiting_confirmation') {
    if (readEvent(partnerOf[receipt.partner], kept.body).outcome === 'event')
      findings.push(finding('readable_today', 'The hub of today reads the payload.', reverify));
  }
  if (endpoint.updatedAt > receipt.receivedAt)
    findings.push(
      finding(
        'endpoint_changed',
        `The endpoint was changed last at ${endpoint.updatedAt.toISOString()}, after this arrived; its settings are shown as they are today.`,
        'Keep in mind that it may have been decided by other settings.',
      ),
    );
  return findings;
};
