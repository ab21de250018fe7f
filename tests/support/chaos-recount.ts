import { connectSql } from '@impact-hub/core';
import { ownerUrlOf, type Installation } from './chaos-installation.ts';
import type { Ledger, SentEvent } from './chaos-senders.ts';

type Receipt = { id: string; endpointId: string; eventId: string | null; outcome: string; originalId: string | null };
type Delivery = { id: string; eventId: string | null; outcome: string; status: string; attempts: number };
type AuditEvent = { id: string; type: string; resource: { type: string; id: string } | null };

export type Recount = {
  receipts: number;
  duplicates: number;
  deliveries: number;
  auditEvents: number;
  /** One sentence per broken promise; empty when nothing was lost or done twice. */
  offenders: string[];
};

const readAll = async <T>(hub: Installation, path: string): Promise<T[]> => {
  const rows: T[] = [];
  let cursor = '';
  for (;;) {
    const address = `${hub.baseUrl}${path}${path.includes('?') ? '&' : '?'}limit=200${cursor}`;
    const response = await fetch(address, { headers: { 'x-api-key': hub.apiKey } });
    if (!response.ok) throw new Error(`GET ${address}: ${response.status} ${await response.text()}`);
    const page = (await response.json()) as { data: T[]; nextCursor: string | null };
    rows.push(...page.data);
    if (page.nextCursor === null) return rows;
    cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
};

const groupBy = <T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
};

const nameOf = (event: SentEvent): string =>
  `${event.endpoint.scheme} ${event.eventId} (acknowledged ${event.acknowledgements} times as ${[...event.receiptIds].join(', ') || 'nothing'})`;

type Found = { receipts: Receipt[]; deliveries: Map<string, Delivery[]>; audits: Map<string, AuditEvent[]> };

/** What is wrong with one event, given everything stored under its id. */
const faultsOf = (event: SentEvent, { receipts, deliveries, audits }: Found): string[] => {
  const wrong: string[] = [];
  const first = receipts.filter((receipt) => receipt.outcome === 'accepted');
  if (event.acknowledgements > 0 && first.length === 0) wrong.push('was acknowledged and is not stored');
  if (first.length > 1) wrong.push(`is stored ${first.length} times`);
  if (event.receiptIds.size > 1) wrong.push('was acknowledged as different receipts');
  for (const id of event.receiptIds)
    if (first[0] !== undefined && first[0].id !== id) wrong.push(`was acknowledged as ${id}, stored as ${first[0].id}`);
  for (const receipt of receipts) {
    const processed = deliveries.get(receipt.id) ?? [];
    const audited = audits.get(receipt.id) ?? [];
    const expected = receipt.outcome === 'accepted' ? 1 : 0;
    if (receipt.outcome !== 'accepted' && receipt.outcome !== 'duplicate')
      wrong.push(`was stored as ${receipt.outcome}`);
    if (receipt.outcome === 'duplicate' && receipt.originalId !== first[0]?.id)
      wrong.push('has a duplicate that points elsewhere');
    if (processed.length !== expected)
      wrong.push(`its ${receipt.outcome} receipt ${receipt.id} has ${processed.length} deliveries`);
    if (audited.length !== expected)
      wrong.push(`its ${receipt.outcome} receipt ${receipt.id} has ${audited.length} audit events`);
    for (const { outcome, status } of processed)
      if (outcome === 'dead' || outcome === 'waiting')
        wrong.push(`its delivery ${receipt.id} is ${outcome} (${status})`);
  }
  return wrong.map((text) => `${nameOf(event)} ${text}`);
};

/** What the API does not show: left-over jobs, second successful attempts, rows that no answer of the API contained. */
const lookBehind = async (
  hub: Installation,
  seen: { receipts: number; deliveries: number; audits: number },
): Promise<string[]> => {
  const sql = connectSql(await ownerUrlOf(hub), { maxConnections: 1, applicationName: 'chaos-recount' });
  try {
    const jobs = await sql<{ id: string; queue: string; state: string; error: string | null }[]>`
      select id, queue, state, last_error as error from job`;
    const [counts] = await sql<Record<'receipts' | 'fresh' | 'dedupe' | 'deliveries' | 'audits' | 'twice', number>[]>`
      select (select count(*) from impact_in_receipt)::int as receipts,
             (select count(*) from impact_in_receipt where outcome = 'accepted')::int as fresh,
             (select count(*) from impact_in_dedupe)::int as dedupe,
             (select count(*) from impact_in_delivery)::int as deliveries,
             (select count(*) from audit_event where type = 'impact_in.event.processed')::int as audits,
             (select count(*) from (select from impact_in_attempt where result = 'success'
                                    group by delivery_id having count(*) > 1) as more)::int as twice`;
    const wrong = jobs.map((job) => `job ${job.id} of ${job.queue} is still ${job.state}: ${job.error ?? 'no error'}`);
    if (counts === undefined) return wrong;
    const expect = (what: string, actual: number, expected: number): void => {
      if (actual !== expected) wrong.push(`the database holds ${actual} ${what}, expected ${expected}`);
    };
    expect('receipts', counts.receipts, seen.receipts);
    expect('dedupe rows', counts.dedupe, counts.fresh);
    expect('deliveries', counts.deliveries, seen.deliveries);
    expect('audit events of processing', counts.audits, seen.audits);
    expect('deliveries with two successful attempts', counts.twice, 0);
    return wrong;
  } finally {
    await sql.end({ timeout: 2 });
  }
};

/** Holds everything stored against what was sent and answered. */
export const recount = async (hub: Installation, ledger: Ledger): Promise<Recount> => {
  const receipts = await readAll<Receipt>(hub, '/api/v1/impact-in/receipts');
  const deliveries = await readAll<Delivery>(hub, '/api/v1/impact-in/deliveries');
  const audits = await readAll<AuditEvent>(hub, '/api/v1/audit/events?type=impact_in.event.processed');
  const byEvent = groupBy(receipts, (receipt) => `${receipt.endpointId} ${receipt.eventId}`);
  const byDelivery = groupBy(deliveries, (delivery) => delivery.id);
  const byResource = groupBy(audits, (audit) => audit.resource?.id ?? '');

  const offenders = ledger.wrongAnswers.map((text) => `wrong answer: ${text}`);
  const known = new Set<string>();
  for (const event of ledger.events) {
    const key = `${event.endpoint.endpointId} ${event.eventId}`;
    known.add(key);
    offenders.push(
      ...faultsOf(event, { receipts: byEvent.get(key) ?? [], deliveries: byDelivery, audits: byResource }),
    );
  }
  for (const key of byEvent.keys()) if (!known.has(key)) offenders.push(`${key} is stored, but nobody sent it`);
  for (const id of [...byDelivery.keys(), ...byResource.keys()])
    if (!receipts.some((receipt) => receipt.id === id))
      offenders.push(`${id} was processed, but there is no such receipt`);
  const seen = { receipts: receipts.length, deliveries: deliveries.length, audits: audits.length };
  offenders.push(...(await lookBehind(hub, seen)));
  return {
    receipts: receipts.length,
    duplicates: receipts.filter(({ outcome }) => outcome === 'duplicate').length,
    deliveries: deliveries.length,
    auditEvents: audits.length,
    offenders,
  };
};
