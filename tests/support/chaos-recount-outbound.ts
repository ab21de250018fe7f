import type { PartnerApis } from '@impact-hub/impact-in';
import type { ChaosCompany } from './chaos-companies.ts';
import type { Installation } from './chaos-installation.ts';
import type { Ledger, OrderedDelivery } from './chaos-ledger.ts';
import { groupBy, readAll } from './chaos-api.ts';

type Delivery = {
  id: string;
  correlationId: string;
  status: string;
  outcome: string;
  attempts: number;
  settledBy: string | null;
  lastError: string | null;
};
export type OutboundCount = {
  ordered: number;
  effects: number;
  calls: number;
  attempts: number;
  settled: number;
  offenders: string[];
};

const idPattern = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** How often each delivery arrived at the stand-ins, by the idempotency keys that the calls name. */
const countCalls = (standIns: PartnerApis): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const { headers, body } of standIns.calls()) {
    const named = `${String(headers['idempotency-key'])} ${String(headers['x-idempotency-key'])} ${body}`;
    for (const id of new Set(named.match(idPattern))) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
};

/** A token that has expired costs a second call within one attempt. */
const callsPerAttempt = (api: string): number => (api === 'workday-rest' ? 2 : 1);

/** The API of Workday takes the report and leaves its end to a webhook. */
const finalStatuses = (order: OrderedDelivery): string[] =>
  order.connection.api === 'workday-rest' && (order.reportedBy?.acknowledgements ?? 0) === 0
    ? ['success', 'pending']
    : ['success'];

const faultsOf = (
  order: OrderedDelivery,
  found: readonly Delivery[],
  effects: readonly { idempotencyKey: string }[],
  calls: ReadonlyMap<string, number>,
): string[] => {
  const [delivery] = found;
  if (delivery === undefined) return order.accepted ? ['was accepted and is not stored'] : [];
  const wrong: string[] = [];
  const { id, status, outcome, attempts, settledBy, lastError } = delivery;
  if (found.length > 1) wrong.push(`is stored ${found.length} times`);
  if (order.deliveryId !== null && order.deliveryId !== id) wrong.push(`was accepted as ${order.deliveryId}, is ${id}`);
  if (effects.length !== 1) wrong.push(`has ${effects.length} effects at the partner`);
  if (!finalStatuses(order).includes(status) || outcome !== 'applied')
    wrong.push(`is ${status}, ${outcome} after ${attempts} attempts: ${lastError}`);
  if ((calls.get(id) ?? 0) > attempts * callsPerAttempt(order.connection.api))
    wrong.push(`arrived ${calls.get(id)} times, and the log has ${attempts} attempts`);
  const [report] = order.reportedBy?.receiptIds ?? [];
  if (report !== undefined && settledBy !== report) wrong.push(`was reported on by ${report}, settled by ${settledBy}`);
  return wrong.map((text) => `${order.connection.api} ${order.transactionId} ${text}`);
};

/** Holds what a company had sent against what is stored and what its partners have got. */
export const recountOutbound = async (
  hub: Installation,
  company: ChaosCompany,
  ledger: Ledger,
  seen: readonly Delivery[],
): Promise<OutboundCount> => {
  const stored = groupBy(seen, ({ correlationId }) => correlationId);
  const effects = groupBy(hub.standIns.records(), ({ transactionId }) => transactionId);
  const calls = countCalls(hub.standIns);
  const orders = ledger.orders.filter((order) => order.company === company);
  const numbers = new Set(orders.map(({ transactionId }) => transactionId));
  const offenders = orders.flatMap((order) =>
    faultsOf(order, stored.get(order.transactionId) ?? [], effects.get(order.transactionId) ?? [], calls),
  );
  for (const number of stored.keys())
    if (!numbers.has(number)) offenders.push(`${number} is stored as a delivery, but nobody ordered it`);
  return {
    ordered: seen.length,
    effects: orders.reduce((sum, { transactionId }) => sum + (effects.get(transactionId)?.length ?? 0), 0),
    calls: seen.reduce((sum, { id }) => sum + (calls.get(id) ?? 0), 0),
    attempts: seen.reduce((sum, { attempts }) => sum + attempts, 0),
    settled: seen.filter(({ settledBy }) => settledBy !== null).length,
    offenders,
  };
};

type Replay = { id: string; state: string; selected: number; done: number; failed: number; skipped: number };

/** @returns how many deliveries were replayed, and one sentence for each replay that did not end as it must */
export const recountReplays = async (hub: Installation, company: ChaosCompany) => {
  const replays = await readAll<Replay>(hub, company, '/api/v1/impact-in/replays');
  const offenders = replays
    .filter(({ state, selected, done, failed }) => state !== 'done' || done !== selected || failed > 0)
    .map((replay) => `a replay did not end as it must: ${JSON.stringify(replay)}`);
  return { replays: replays.length, replayed: replays.reduce((sum, { done }) => sum + done, 0), offenders };
};
