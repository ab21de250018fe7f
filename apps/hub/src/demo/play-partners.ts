import { fetchAccessToken, faultsOf, simulatePartner, type FaultName, type Simulation } from '@impact-hub/impact-in';
import type { EndpointCredentials } from '../credentials.ts';
import { pollUntil, type HubClient } from './hub-client.ts';

export type Played = Simulation & { endpoint: EndpointCredentials; became: string; keptPromise: boolean };

type Receipt = { id: string; outcome: string; reason: string | null; eventId: string | null };
type Delivery = { id: string; status: string; outcome: string };

/** What the hub must have made of each fault, besides the answer it gave. */
const promised: Record<FaultName, RegExp> = {
  good: /^processed/,
  duplicate: /^processed.* once/,
  tampered: /^rejected/,
  stale: /^rejected/,
  future: /^rejected/,
  malformed: /^quarantined/,
  badJson: /^quarantined/,
  wrongSecret: /^rejected/,
  unsigned: /^rejected/,
};

const processingTimeoutMs = 15_000;

const receiptIdOf = (simulation: Simulation): string | undefined => {
  const body = simulation.answers[0]?.body as { receiptId?: string } | undefined;
  return body?.receiptId;
};

const becameOfAccepted = async (hub: HubClient, fault: FaultName, receiptId: string): Promise<string> => {
  const receipt = await hub.get<Receipt>(`/api/v1/impact-in/receipts/${receiptId}`);
  if (receipt.outcome === 'quarantined') return `quarantined: ${receipt.reason}`;
  const delivery = await pollUntil(
    () => hub.get<{ data: Delivery[] }>(`/api/v1/impact-in/deliveries?eventId=${receipt.eventId}`),
    ({ data }) => data.length > 0,
    processingTimeoutMs,
  );
  const [first] = delivery.data;
  if (first === undefined) return `accepted, not processed within ${processingTimeoutMs / 1_000} s`;
  const times = delivery.data.length === 1 ? (fault === 'duplicate' ? ' once' : '') : ` ${delivery.data.length} times`;
  return `processed${times}: ${first.status}, ${first.outcome}`;
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

/** Plays every fault of every endpoint's scheme, one after the other, and looks up what the hub stored of each. */
export async function* playPartners(
  hub: HubClient,
  baseUrl: string,
  endpoints: readonly EndpointCredentials[],
  seed: string,
): AsyncGenerator<Played> {
  for (const endpoint of endpoints) {
    const { data } = await hub.get<{ data: Receipt[] }>(
      `/api/v1/impact-in/receipts?endpointId=${endpoint.endpointId}&outcome=rejected&limit=50`,
    );
    const seen = new Set(data.map((receipt) => receipt.id));
    const secret = 'secret' in endpoint ? endpoint.secret : await fetchAccessToken(`${baseUrl}/oauth/token`, endpoint);
    for (const fault of faultsOf(endpoint.scheme as never)) {
      const simulation = await simulatePartner(endpoint.url, fault, {
        partner: endpoint.partner as never,
        scheme: endpoint.scheme as never,
        secret,
        seed: `${seed}/${endpoint.endpointId}/${fault}`,
        nowMs: Date.now(),
      });
      const receiptId = receiptIdOf(simulation);
      const became =
        receiptId === undefined
          ? await becameOfRefused(hub, endpoint.endpointId, seen)
          : await becameOfAccepted(hub, fault, receiptId);
      yield { ...simulation, endpoint, became, keptPromise: simulation.asExpected && promised[fault].test(became) };
    }
  }
}
