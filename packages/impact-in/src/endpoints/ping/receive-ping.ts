import { findSender } from '../../inbox/find-sender.ts';
import { authenticRow, type Webhook } from '../../inbox/receive-webhook.ts';
import type { ImpactInDeps } from '../../deps.ts';
import type { EndpointRow } from '../../tables.ts';
import type { SignedPing } from './sign-ping.ts';

export type Received = {
  reason: string | null;
  matchedSecretId: string | null;
  receiptId: string | null;
  latencyMs: number;
};

/** Where the partner's requests may come from; networks are written by their first address. */
const ipOf = ({ allowedNetworks }: EndpointRow): string => allowedNetworks?.[0]?.split('/')[0] ?? '127.0.0.1';

/**
 * Takes a ping as it takes the partner's webhooks: the same verification, reading, sealing and commit. Only the outcome
 * is another, so that there is no job for it, and neither metrics nor the times of secrets and endpoints show it.
 *
 * @throws InboxUnavailable when it is not known to be committed
 */
export const receivePing = async (
  deps: ImpactInDeps,
  row: EndpointRow,
  { rawHeaders, urlToken, event }: SignedPing,
  requestId: string,
): Promise<Received> => {
  const { endpoints, clock, publicUrl } = deps;
  const { partner, id: endpointId } = row;
  const arrivedAtMs = performance.now();
  const request = { id: requestId, ip: ipOf(row), rawHeaders, log: {} };
  const webhook: Webhook = { partner, endpointId, urlToken, body: event.body, arrivedAtMs, request };
  const arrival = { ...request, body: event.body, urlToken, nowMs: clock.nowMs(), issuer: publicUrl };
  const sender = await findSender({ ...deps, directory: endpoints }, webhook, arrival, () => undefined);
  const latencyMs = () => performance.now() - arrivedAtMs;
  if (!sender.valid) return { reason: sender.reason, matchedSecretId: null, receiptId: null, latencyMs: latencyMs() };
  const matchedSecretId = sender.verified.secretId;
  if (sender.endpoint.state === 'paused')
    return { reason: 'endpoint_paused', matchedSecretId, receiptId: null, latencyMs: latencyMs() };
  const receipt = authenticRow(webhook, sender.endpoint, sender.verified);
  const isReadable = receipt.eventType !== null;
  const { receiptId } = await deps.inbox.submit({ ...receipt, outcome: 'test', reason: null });
  return { reason: isReadable ? null : receipt.reason, matchedSecretId, receiptId, latencyMs: latencyMs() };
};
