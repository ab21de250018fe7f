import { randomBytes } from 'node:crypto';
import { newId } from '@impact-hub/core';
import { expect, test } from 'vitest';
import { eventOf, sendSigned, useTestHub } from '../../test-hub.ts';
import { applyRetention } from './apply-retention.ts';
import { dropReceiptDays, type Pace } from './forget-expired.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();
const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });

const dayMs = 86_400_000;
const daysAgo = (days: number): Date => new Date(Date.now() - days * dayMs);
/** As `newId` would have made it then. */
const idAt = (at: Date): string => {
  const hex = at.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}${newId().slice(13)}`;
};
const dayOf = (at: Date): string => at.toISOString().slice(0, 10);

const addReceipt = async (at: Date): Promise<string> => {
  const id = idAt(at);
  await hub.owner`
    insert into impact_in_receipt
      (id, received_at, company_id, endpoint_id, partner, outcome, request_id, body_bytes, latency_ms)
    values (${id}, ${at}, ${companyId}, ${endpoint.id}, 'benevity', 'accepted', 'r', 1, 1)`;
  await hub.owner`select impact_in_create_receipt_days(0)`;
  return id;
};
const addDelivery = async (at: Date, outcome = 'applied', direction = 'inbound'): Promise<string> => {
  const id = idAt(at);
  await hub.owner`
    insert into impact_in_delivery (id, company_id, direction, partner, event_type, status, outcome, received_at)
    values (${id}, ${companyId}, ${direction}, 'benevity', 'e', 'success', ${outcome}, ${at})`;
  await hub.owner`
    insert into impact_in_attempt (delivery_id, number, company_id, result) values (${id}, 1, ${companyId}, 'success')`;
  return id;
};
const addEvent = async (at: Date): Promise<string> => {
  const id = idAt(at);
  await hub.owner`
    insert into impact_in_dedupe (endpoint_id, dedupe_key, company_id, receipt_id, body_sha256, first_seen_at)
    values (${endpoint.id}, ${randomBytes(32)}, ${companyId}, ${id}, ${randomBytes(32)}, ${at})`;
  return id;
};
const idsIn = async (table: string, column = 'id'): Promise<string[]> =>
  [...(await hub.owner<{ id: string }[]>`select ${hub.owner(column)} as id from ${hub.owner(table)}`)].map(
    ({ id }) => id,
  );

const { signal } = new AbortController();
const run = () => applyRetention(hub.impactIn.deps, signal);
const lastAudit = async () => {
  const [row] = await hub.owner<{ body: Buffer }[]>`
    select body from audit_event where type = 'impact_in.retention.applied' order by at desc, id desc limit 1`;
  return JSON.parse(String(row?.body)) as { companyId: string | null; metadata: Record<string, unknown> };
};

test('what has expired goes, what has not stays, and the audit says how much', async () => {
  const [old, young] = [await addReceipt(daysAgo(100)), await addReceipt(daysAgo(80))];
  const deliveries = [await addDelivery(daysAgo(410)), await addDelivery(daysAgo(390))];
  const events = [await addEvent(daysAgo(95)), await addEvent(daysAgo(85))];
  await run();
  expect(await idsIn('impact_in_receipt')).toContain(young);
  expect(await idsIn('impact_in_receipt')).not.toContain(old);
  expect(await idsIn('impact_in_delivery')).toEqual([deliveries[1]]);
  expect(await idsIn('impact_in_attempt', 'delivery_id')).toEqual([deliveries[1]]);
  expect(await idsIn('impact_in_dedupe', 'receipt_id')).toEqual([events[1]]);
  const { metadata } = await lastAudit();
  expect(metadata).toMatchObject({
    removed: { receipts: 1, deliveries: 1, events: 1 },
    receiptDays: [dayOf(daysAgo(100))],
  });
});

test('receipts stay while a job, a confirmation or a replay needs them', async () => {
  const at = daysAgo(120);
  const id = await addReceipt(at);
  const isThere = async () => (await idsIn('impact_in_receipt')).includes(id);
  const held = async () =>
    (await hub.owner`select held from impact_in_expired_receipt_days(90) where day = ${dayOf(at)}`)[0]?.[
      'held'
    ] as string;

  await hub.owner`
    insert into job (id, company_id, queue, payload, run_at)
    values (${id}, ${companyId}, 'impact-in.process-receipt', ${JSON.stringify({ receiptId: id })}::text::jsonb, now() + interval '1 day')`;
  expect(await held()).toBe('jobs');
  await run();
  expect(await isThere()).toBe(true);
  await hub.owner`update job set state = 'dead' where id = ${id}`;

  await hub.owner`
    insert into impact_in_confirmation (receipt_id, company_id, endpoint_id, partner, state)
    values (${id}, ${companyId}, ${endpoint.id}, 'benevity', 'waiting')`;
  expect(await held()).toBe('confirmations');
  await hub.owner`update impact_in_confirmation set state = 'denied' where receipt_id = ${id}`;

  const replayId = newId();
  await hub.owner`
    insert into impact_in_replay (id, company_id, kind, state, include_succeeded, rate_per_second, actor_kind, actor_id,
      request_id, snapshot_at, is_selected, created_at, updated_at)
    values (${replayId}, ${companyId}, 'selection', 'paused', false, 1, 'system', 'test', 'r', now(), true, now(), now())`;
  await hub.owner`
    insert into impact_in_replay_item (replay_id, delivery_id, company_id) values (${replayId}, ${id}, ${companyId})`;
  expect(await held()).toBe('replays');
  await run();
  expect(await isThere()).toBe(true);
  // Nobody keeps the disk from being freed for longer than a month.
  await hub.owner`update impact_in_replay set created_at = now() - interval '31 days' where id = ${replayId}`;
  await run();
  expect(await isThere()).toBe(false);
});

test('deliveries stay while they wait to be processed or sent', async () => {
  const at = daysAgo(500);
  const waiting = await addDelivery(at, 'waiting');
  const sending = await addDelivery(at, 'applied', 'outbound');
  const gone = await addDelivery(at);
  const connectionId = newId();
  await hub.owner`
    insert into impact_in_connection (id, company_id, partner, api, name, base_url, credentials, requests_per_minute)
    values (${connectionId}, ${companyId}, 'benevity', 'benevity', 'c', 'https://example.org', '', 60)`;
  await hub.owner`
    insert into impact_in_outbound (delivery_id, company_id, connection_id, partner, transaction_id, sealed, state, due_at, created_at)
    values (${sending}, ${companyId}, ${connectionId}, 'benevity', 't', ''::bytea, 'waiting', now() + interval '1 day', now())`;
  await run();
  const left = await idsIn('impact_in_delivery');
  expect([left.includes(waiting), left.includes(sending), left.includes(gone)]).toEqual([true, true, false]);
});

test('webhooks are taken while an expired day is in use; it goes when it is not', async () => {
  const at = daysAgo(130);
  const id = await addReceipt(at);
  const sent: number[] = [];
  const pace: Pace = {
    signal,
    endsAtMs: performance.now() + 60_000,
    onRemoved: () => undefined,
    // Between two tries, and at the same time as the next one.
    pause: async () => {
      const answers = Array.from({ length: 5 }, (_, n) =>
        sendSigned(hub, endpoint, eventOf('benevity', `while ${sent.length} ${n}`).body),
      );
      for (const { statusCode } of await Promise.all(answers)) sent.push(statusCode);
    },
  };
  const delayed: string[] = [];
  const drop = () =>
    dropReceiptDays(hub.db.systemSql, hub.impactIn.deps.records.retention, pace, (day, reason) =>
      delayed.push(`${day} ${reason}`),
    );
  await hub.owner.begin(async (reader) => {
    await reader`select count(*) from impact_in_receipt where received_at < now() - interval '125 days'`;
    expect(await drop()).toEqual([]);
  });
  expect(delayed).toEqual([`${dayOf(at)} locked`]);
  expect(sent).toHaveLength(25);
  expect(new Set(sent)).toEqual(new Set([200]));
  expect(await drop()).toEqual([dayOf(at)]);
  expect(await idsIn('impact_in_receipt')).not.toContain(id);
});

test('nothing is removed earlier than the least time, whatever the functions are called with', async () => {
  const receipt = await addReceipt(daysAgo(5));
  const event = await addEvent(daysAgo(25));
  const delivery = await addDelivery(daysAgo(25));
  const { systemSql: sql } = hub.db;
  expect(await sql`select * from impact_in_expired_receipt_days(0) where day >= current_date - 6`).toHaveLength(0);
  expect(await sql`select impact_in_drop_receipt_day(${dayOf(daysAgo(5))}::date, 0) as dropped`).toEqual([
    { dropped: false },
  ]);
  await sql`select * from impact_in_forget_events(0, 1000, 0)`;
  await sql`select * from impact_in_forget_deliveries('00000000-0000-0000-0000-000000000000', 1000, -5)`;
  expect(await idsIn('impact_in_receipt')).toContain(receipt);
  expect(await idsIn('impact_in_dedupe', 'receipt_id')).toContain(event);
  expect(await idsIn('impact_in_delivery')).toContain(delivery);
});

test('a long table is gone through in steps, over several runs, to its end', async () => {
  const { systemSql: sql } = hub.db;
  await hub.owner`
    insert into impact_in_dedupe (endpoint_id, dedupe_key, company_id, receipt_id, body_sha256, first_seen_at)
    select ${endpoint.id}, sha256(n::text::bytea), ${companyId}, gen_random_uuid(), sha256(''), now() - interval '100 days'
    from generate_series(1, 2000) n`;
  let block: number | null = 0;
  let removed = 0;
  let steps = 0;
  while (block !== null) {
    const [row]: { removed: string; next: string | null }[] = await sql`
      select removed, next_block as next from impact_in_forget_events(${block}, 5, 90)`;
    removed += Number(row?.removed);
    steps += 1;
    block = row?.next === null || row === undefined ? null : Number(row.next);
  }
  expect(removed).toBe(2_000);
  expect(steps).toBeGreaterThan(3);
});
