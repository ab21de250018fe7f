import type { ChaosCompany } from './chaos-companies.ts';
import type { Installation } from './chaos-installation.ts';
import type { Ledger, SentEvent } from './chaos-ledger.ts';
import { groupBy, readAll } from './chaos-api.ts';
import { lookBehind, type Seen } from './chaos-look-behind.ts';
import { recountOutbound, recountReplays } from './chaos-recount-outbound.ts';

type Receipt = { id: string; endpointId: string; eventId: string | null; outcome: string; originalId: string | null };
type Delivery = {
  id: string;
  direction: string;
  correlationId: string;
  outcome: string;
  status: string;
  attempts: number;
  settledBy: string | null;
  lastError: string | null;
};
type AuditEvent = { id: string; type: string; resource: { type: string; id: string } | null };

export type Recount = {
  receipts: number;
  duplicates: number;
  conflicts: number;
  deliveries: number;
  auditEvents: number;
  /** What was sent to partners: deliveries, effects there, calls that arrived, attempts in the log, settled by webhooks. */
  outbound: { ordered: number; effects: number; calls: number; attempts: number; settled: number };
  replays: number;
  replayed: number;
  /** One sentence per broken promise; empty when nothing was lost or done twice. */
  offenders: string[];
};

const nameOf = (event: SentEvent): string =>
  `${event.endpoint.scheme} ${event.eventId} (acknowledged ${event.acknowledgements} times as ${[...event.receiptIds].join(', ') || 'nothing'})`;

type Found = {
  receipts: Receipt[];
  deliveries: Map<string, Delivery[]>;
  audits: Map<string, AuditEvent[]>;
  conflictAudits: Map<string, AuditEvent[]>;
};

const knownOutcomes = new Set(['accepted', 'duplicate', 'conflict']);

/** What is wrong with one receipt of an event whose first receipt is known. */
const faultsOfReceipt = (receipt: Receipt, firstId: string | undefined, found: Found): string[] => {
  const wrong: string[] = [];
  const { id, outcome, originalId } = receipt;
  const processed = found.deliveries.get(id) ?? [];
  const audited = found.audits.get(id) ?? [];
  const expected = outcome === 'accepted' ? 1 : 0;
  if (!knownOutcomes.has(outcome)) wrong.push(`was stored as ${outcome}`);
  if (outcome !== 'accepted' && originalId !== firstId) wrong.push(`has a ${outcome} that points elsewhere`);
  if (processed.length !== expected) wrong.push(`its ${outcome} receipt ${id} has ${processed.length} deliveries`);
  if (audited.length !== expected) wrong.push(`its ${outcome} receipt ${id} has ${audited.length} audit events`);
  const told = found.conflictAudits.get(id)?.length ?? 0;
  if (told !== (outcome === 'conflict' ? 1 : 0)) wrong.push(`its ${outcome} receipt ${id} is told ${told} times`);
  for (const delivery of processed)
    if (delivery.outcome === 'dead' || delivery.outcome === 'waiting')
      wrong.push(`its delivery ${id} is ${delivery.outcome} (${delivery.status})`);
  return wrong;
};

/** What is wrong with one event, given everything stored under its id. */
const faultsOf = (event: SentEvent, found: Found): string[] => {
  const { receipts } = found;
  const wrong: string[] = [];
  const first = receipts.filter((receipt) => receipt.outcome === 'accepted');
  if (event.acknowledgements > 0 && first.length === 0) wrong.push('was acknowledged and is not stored');
  if (first.length > 1) wrong.push(`is stored ${first.length} times`);
  if (event.receiptIds.size > 1) wrong.push('was acknowledged as different receipts');
  for (const id of event.receiptIds)
    if (first[0] !== undefined && first[0].id !== id) wrong.push(`was acknowledged as ${id}, stored as ${first[0].id}`);
  const conflicts = new Set(receipts.filter(({ outcome }) => outcome === 'conflict').map(({ id }) => id));
  for (const id of event.conflictIds)
    if (!conflicts.has(id)) wrong.push(`its other bytes were acknowledged as ${id} and are not stored`);
  for (const receipt of receipts) wrong.push(...faultsOfReceipt(receipt, first[0]?.id, found));
  return wrong.map((text) => `${nameOf(event)} ${text}`);
};

const auditsOf = (hub: Installation, company: ChaosCompany, type: string): Promise<AuditEvent[]> =>
  readAll<AuditEvent>(hub, company, `/api/v1/audit/events?type=${type}`);
const byResource = (audits: readonly AuditEvent[]) => groupBy(audits, (audit) => audit.resource?.id ?? '');

const recountCompany = async (hub: Installation, company: ChaosCompany, ledger: Ledger) => {
  const receipts = await readAll<Receipt>(hub, company, '/api/v1/impact-in/receipts');
  const deliveries = await readAll<Delivery>(hub, company, '/api/v1/impact-in/deliveries');
  const audits = await auditsOf(hub, company, 'impact_in.event.processed');
  const conflictAudits = await auditsOf(hub, company, 'impact_in.receipt.conflict');
  const inbound = deliveries.filter(({ direction }) => direction === 'inbound');
  const byEvent = groupBy(receipts, (receipt) => `${receipt.endpointId} ${receipt.eventId}`);
  const found = {
    deliveries: groupBy(inbound, ({ id }) => id),
    audits: byResource(audits),
    conflictAudits: byResource(conflictAudits),
  };
  const offenders: string[] = [];
  const sent = new Set<string>();
  for (const event of ledger.events.filter((each) => each.company === company)) {
    const key = `${event.endpoint.endpointId} ${event.eventId}`;
    sent.add(key);
    offenders.push(...faultsOf(event, { ...found, receipts: byEvent.get(key) ?? [] }));
  }
  for (const key of byEvent.keys()) if (!sent.has(key)) offenders.push(`${key} is stored, but nobody sent it`);
  const ids = new Set(receipts.map(({ id }) => id));
  for (const id of [...found.deliveries.keys(), ...found.audits.keys()])
    if (!ids.has(id)) offenders.push(`${id} was processed, but there is no such receipt`);
  const outgoing = deliveries.filter(({ direction }) => direction === 'outbound');
  const { offenders: ofOutbound, ...outbound } = await recountOutbound(hub, company, ledger, outgoing);
  const { offenders: ofReplays, ...replays } = await recountReplays(hub, company);
  return {
    receipts: receipts.length,
    duplicates: receipts.filter(({ outcome }) => outcome === 'duplicate').length,
    conflicts: receipts.filter(({ outcome }) => outcome === 'conflict').length,
    deliveries: inbound.length,
    auditEvents: audits.length,
    outbound,
    ...replays,
    offenders: [...offenders, ...ofOutbound, ...ofReplays],
  };
};

type OfCompany = Awaited<ReturnType<typeof recountCompany>>;

/** Holds everything stored against what was sent and answered, company by company and then all of it. */
export const recount = async (hub: Installation, ledger: Ledger): Promise<Recount> => {
  const companies: OfCompany[] = [];
  for (const company of hub.companies) companies.push(await recountCompany(hub, company, ledger));
  const sum = (numberOf: (one: OfCompany) => number): number => companies.reduce((all, one) => all + numberOf(one), 0);
  const total = {
    receipts: sum((one) => one.receipts),
    duplicates: sum((one) => one.duplicates),
    conflicts: sum((one) => one.conflicts),
    deliveries: sum((one) => one.deliveries),
    auditEvents: sum((one) => one.auditEvents),
    replays: sum((one) => one.replays),
    replayed: sum((one) => one.replayed),
    outbound: {
      ordered: sum((one) => one.outbound.ordered),
      effects: sum((one) => one.outbound.effects),
      calls: sum((one) => one.outbound.calls),
      attempts: sum((one) => one.outbound.attempts),
      settled: sum((one) => one.outbound.settled),
    },
  };
  const seen: Seen = {
    receipts: total.receipts,
    deliveries: total.deliveries + total.outbound.ordered,
    audits: total.auditEvents,
  };
  return {
    ...total,
    offenders: [
      ...ledger.wrongAnswers.map((text) => `wrong answer: ${text}`),
      ...companies.flatMap(({ offenders }) => offenders),
      ...(await lookBehind(hub, seen)),
    ],
  };
};
