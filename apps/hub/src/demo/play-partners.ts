import { faultsOf, simulatePartner, type FaultName, type Simulation } from '@impact-hub/impact-in';
import type { DemoEndpoint } from './demo-endpoints.ts';
import { pollUntil, type HubClient } from './hub-client.ts';
import { processingTimeoutMs, type Played } from './scene.ts';

type Receipt = { id: string; outcome: string; reason: string | null; eventId: string | null };
type Delivery = { id: string; status: string; outcome: string };

/** What the hub must have made of each fault, besides the answer it gave; what is not listed is rejected. */
const promised: Partial<Record<FaultName, RegExp>> = {
  good: /^processed/,
  duplicate: /^processed once/,
  conflict: /^processed once.* conflict/,
  replayedCapture: /^processed.*; then rejected/,
  hugeBody: /^not kept/,
  malformed: /^quarantined/,
  badJson: /^quarantined/,
};
/** Nobody signed it: kept until the partner's API confirms it. */
const unsignedBecomes = /^quarantined: awaiting_confirmation/;

const keepsPromise = ({ scheme }: DemoEndpoint, { fault, answers }: Simulation, became: string): boolean => {
  const isKept = scheme === 'goodera-unsigned' && answers[0]?.status === 202;
  return (isKept ? unsignedBecomes : (promised[fault] ?? /^rejected/)).test(became);
};

const times = (fault: FaultName, count: number): string => {
  if (count > 1) return ` ${count} times`;
  return fault === 'duplicate' || fault === 'conflict' ? ' once' : '';
};

const becameOfAccepted = async (hub: HubClient, fault: FaultName, receiptId: string): Promise<string> => {
  const receipt = await hub.get<Receipt>(`/api/v1/impact-in/receipts/${receiptId}`);
  if (receipt.outcome === 'quarantined') return `quarantined: ${receipt.reason}`;
  const { data } = await pollUntil(
    () => hub.get<{ data: Delivery[] }>(`/api/v1/impact-in/deliveries?eventId=${receipt.eventId}`),
    (page) => page.data.length > 0 && page.data.every(({ outcome }) => outcome !== 'waiting'),
    processingTimeoutMs,
  );
  const [first] = data;
  if (first === undefined) return `accepted, not processed within ${processingTimeoutMs / 1_000} s`;
  const all = await hub.get<{ data: Receipt[] }>(`/api/v1/impact-in/receipts?eventId=${receipt.eventId}`);
  const other = all.data.some(({ outcome }) => outcome === 'conflict') ? '; the other kept as a conflict' : '';
  return `processed${times(fault, data.length)}: ${first.status}, ${first.outcome}${other}`;
};

/** Refused requests get no receipt id in the answer (that would help an attacker), so the newest one is looked up. */
const becameOfRefused = async (hub: HubClient, endpointId: string, seen: Set<string>): Promise<string> => {
  const isNew = ({ id }: Receipt): boolean => !seen.has(id);
  const { data } = await pollUntil(
    () => hub.get<{ data: Receipt[] }>(`/api/v1/impact-in/receipts?endpointId=${endpointId}&outcome=rejected&limit=50`),
    (page) => page.data.some(isNew),
    processingTimeoutMs,
  );
  const receipt = data.find(isNew);
  if (receipt === undefined) return 'refused, no record found';
  seen.add(receipt.id);
  return `rejected: ${receipt.reason}`;
};

const becameOf = async (
  hub: HubClient,
  endpoint: DemoEndpoint,
  { fault, answers }: Simulation,
  seen: Set<string>,
): Promise<string> => {
  if (answers[0]?.status === 413) return 'not kept: longer than the endpoint accepts';
  const { receiptId } = (answers[0]?.body ?? {}) as { receiptId?: string };
  const isRefused = answers.some(({ status }) => status === 401);
  const refused = isRefused ? await becameOfRefused(hub, endpoint.id, seen) : undefined;
  if (receiptId === undefined) return refused ?? 'refused';
  const accepted = await becameOfAccepted(hub, fault, receiptId);
  return refused === undefined ? accepted : `${accepted}; then ${refused}`;
};

/** What each further endpoint shows; the first one shows everything. */
const fewFaults: readonly FaultName[] = ['good', 'duplicate', 'tampered'];

/** Plays the endpoints' partners, one fault after the other, and looks up what the hub stored of each. */
export async function* playPartners(
  hub: HubClient,
  endpoints: readonly DemoEndpoint[],
  seed: string,
): AsyncGenerator<Played> {
  for (const [index, endpoint] of endpoints.entries()) {
    const { partner, scheme, url } = endpoint;
    const { data } = await hub.get<{ data: Receipt[] }>(
      `/api/v1/impact-in/receipts?endpointId=${endpoint.id}&outcome=rejected&limit=50`,
    );
    const seen = new Set(data.map((receipt) => receipt.id));
    for (const fault of faultsOf(scheme).filter((name) => index === 0 || fewFaults.includes(name))) {
      const secret = endpoint.credential();
      const input = { partner, scheme, secret, seed: `${seed}/${endpoint.id}/${fault}`, nowMs: Date.now() };
      const simulation = await simulatePartner(url, fault, input);
      const became = await becameOf(hub, endpoint, simulation, seen);
      yield {
        keptPromise: simulation.asExpected && keepsPromise(endpoint, simulation, became),
        who: scheme,
        what: simulation.says,
        answers: simulation.answers.map(({ status }) => status).join(', '),
        became,
      };
    }
  }
}
