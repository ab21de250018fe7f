import { newId } from '@impact-hub/core';
import { describe, expect, test } from 'vitest';
import { eventOf, read, sendSigned, useTestHub } from '../test-hub.ts';
import type { SimulatedEvent } from '../simulators/make-event.ts';
import { processReceipt } from './process-receipt.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();
const goodera = await hub.addEndpoint(companyId, { partner: 'goodera' });

type Row = Record<string, unknown> & { id: string };
type Page = { data: Row[]; nextCursor: string | null };

const send = async (event: SimulatedEvent): Promise<string> =>
  (await sendSigned(hub, goodera, event.body)).json<{ receiptId: string }>().receiptId;
const receive = async (
  seed: string,
  eventType: string,
  correlationId: string,
  occurredAtMs = Date.now(),
): Promise<string> => send(eventOf('goodera', seed, { eventType, correlationId, nowMs: occurredAtMs }));
const list = async (query: string, company = companyId): Promise<Page> =>
  (await read(hub, company, `/deliveries${query}`)).json<Page>();
const delivery = async (id: string): Promise<Row> => (await read(hub, companyId, `/deliveries/${id}`)).json<Row>();

describe('processing', () => {
  test('an accepted event becomes one delivery with the id of its receipt, audited in the same transaction', async () => {
    const event = eventOf('goodera', 'one', { eventType: 'data.processed', correlationId: 'txn one' });
    const id = await send(event);
    expect(await hub.runJobs()).toEqual(['done']);
    expect(await delivery(id)).toMatchObject({
      id,
      direction: 'inbound',
      partner: 'goodera',
      endpointId: goodera.id,
      eventId: event.eventId,
      eventType: 'data.processed',
      correlationId: 'txn one',
      status: 'success',
      reported: 'success',
      outcome: 'applied',
      attempts: 1,
      lastError: null,
      attemptLog: [{ number: 1, result: 'success', error: null }],
    });
    const audited = await hub.owner`select type, actor_kind, actor_id from audit_event where resource_id = ${id}`;
    expect(audited).toMatchObject([{ type: 'impact_in.event.processed', actor_kind: 'partner', actor_id: goodera.id }]);
  });

  test.each([
    ['data.received', 'pending'],
    ['data.processed', 'success'],
    ['data.failed', 'failed'],
  ])('%s is the status %s', async (eventType, status) => {
    const id = await receive(`status ${eventType}`, eventType, `txn ${eventType}`);
    await hub.runJobs();
    expect(await delivery(id)).toMatchObject({ status });
  });

  test('a later event of the same correlation settles the open one', async () => {
    const t = Date.now() - 60_000;
    const pending = await receive('open', 'data.received', 'txn settled', t);
    await hub.runJobs();
    expect(await delivery(pending)).toMatchObject({ status: 'pending', settledBy: null });
    const done = await receive('closed', 'data.processed', 'txn settled', t + 1_000);
    await hub.runJobs();
    expect(await delivery(pending)).toMatchObject({ status: 'success', reported: 'pending', settledBy: done });
    expect(await delivery(done)).toMatchObject({ status: 'success', outcome: 'applied' });
  });

  test('an event that arrives after a newer one does not undo it', async () => {
    const t = Date.now() - 60_000;
    const done = await receive('newer', 'data.processed', 'txn late', t + 1_000);
    await hub.runJobs();
    const late = await receive('older', 'data.received', 'txn late', t);
    await hub.runJobs();
    expect(await delivery(late)).toMatchObject({
      status: 'success',
      reported: 'pending',
      outcome: 'superseded',
      settledBy: done,
    });
    expect(await delivery(done)).toMatchObject({ status: 'success', outcome: 'applied', settledBy: null });
  });

  test('events of one correlation end the same in whatever order they are processed, also at once', async () => {
    const t = Date.now() - 60_000;
    const events = (['data.received', 'data.received', 'data.failed'] as const).map((eventType, n) => ({
      eventType,
      at: t + n * 1_000,
    }));
    const results: unknown[] = [];
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]) {
      const correlation = `txn order ${order.join('')}`;
      const ids: string[] = [];
      for (const n of order) {
        const event = events[n];
        if (event !== undefined) ids[n] = await receive(`${correlation} ${n}`, event.eventType, correlation, event.at);
      }
      await Promise.all(ids.map((id) => hub.db.company(companyId, (tx) => processReceipt(tx, hub.impactIn.deps, id))));
      results.push(await Promise.all(ids.map(async (id) => (await delivery(id))['status'])));
    }
    expect(results).toEqual([
      ['failed', 'failed', 'failed'],
      ['failed', 'failed', 'failed'],
      ['failed', 'failed', 'failed'],
    ]);
    await hub.owner`delete from job`;
  });

  test('the same job dispatched or queued again has one effect', async () => {
    const id = await receive('once', 'data.processed', 'txn once');
    await hub.owner`insert into job (id, company_id, queue, payload)
      values (${newId()}, ${companyId}, 'impact-in.process-receipt', ${JSON.stringify({ receiptId: id })}::jsonb)`;
    expect(await hub.runJobs()).toEqual(['done', 'done']);
    await Promise.all(
      [1, 2, 3].map(() => hub.db.company(companyId, (tx) => processReceipt(tx, hub.impactIn.deps, id))),
    );
    expect(await delivery(id)).toMatchObject({ attempts: 1, attemptLog: [{ number: 1 }] });
    expect(await hub.owner`select 1 from audit_event where resource_id = ${id}`).toHaveLength(1);
  });

  test('a failing attempt shows as retrying, then success or failed, with every attempt listed', async () => {
    const id = await receive('unlucky', 'data.processed', 'txn unlucky');
    const [{ sealed } = { sealed: null }] = await hub.owner<
      { sealed: Buffer }[]
    >`select sealed from impact_in_receipt where id = ${id}`;
    await hub.owner`update impact_in_receipt set sealed = '\\x00' where id = ${id}`;
    expect(await hub.runJobs()).toEqual(['retrying']);
    expect(await delivery(id)).toMatchObject({
      status: 'retrying',
      outcome: 'waiting',
      attempts: 1,
      lastError: 'DecryptionFailed',
      processedAt: null,
    });
    await hub.owner`update impact_in_receipt set sealed = ${sealed} where id = ${id}`;
    await hub.owner`update job set run_at = now() where state = 'queued'`;
    expect(await hub.runJobs()).toEqual(['done']);
    expect(await delivery(id)).toMatchObject({
      status: 'success',
      outcome: 'applied',
      attempts: 2,
      lastError: null,
      attemptLog: [
        { number: 1, result: 'failure', error: 'DecryptionFailed' },
        { number: 2, result: 'success' },
      ],
    });
  });

  test('what can never be read is given up at once and audited', async () => {
    const id = await receive('hopeless', 'data.processed', 'txn hopeless');
    await hub.owner`update impact_in_receipt set sealed = null where id = ${id}`;
    expect(await hub.runJobs()).toEqual(['dead']);
    expect(await delivery(id)).toMatchObject({
      status: 'failed',
      outcome: 'dead',
      lastError: 'the receipt does not exist',
    });
    expect(await hub.owner`select type, severity from audit_event where resource_id = ${id}`).toMatchObject([
      { type: 'impact_in.event.failed', severity: 'warning' },
    ]);
  });

  test('a conflict is audited as a matter of security', async () => {
    const { payload } = eventOf('goodera', 'conflicting');
    await sendSigned(hub, goodera, payload);
    const { receiptId } = (await sendSigned(hub, goodera, { ...payload, recordsProcessed: 1 })).json<{
      receiptId: string;
    }>();
    await hub.runJobs();
    const audited = await hub.owner`select type, category from audit_event where resource_id = ${receiptId}`;
    expect(audited).toMatchObject([{ type: 'impact_in.receipt.conflict', category: 'security' }]);
    expect((await read(hub, companyId, `/deliveries/${receiptId}`)).statusCode).toBe(404);
  });
});

describe('reading', () => {
  test('pages run newest first through all rows, without gap or repetition', async () => {
    const company = await hub.addCompany();
    const endpoint = await hub.addEndpoint(company, { partner: 'benevity' });
    for (let n = 0; n < 25; n += 1) await sendSigned(hub, endpoint, eventOf('benevity', `page ${n}`).body);
    await hub.runJobs();
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Page = await list(`?limit=10${cursor === '' ? '' : `&cursor=${cursor}`}`, company);
      seen.push(...page.data.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    expect(seen).toHaveLength(25);
    expect(seen).toEqual([...new Set(seen)].sort().toReversed());
  });

  test('filters by partner, status, event, correlation and time', async () => {
    const event = eventOf('goodera', 'filter', { eventType: 'data.failed', correlationId: 'txn filter' });
    const id = await send(event);
    await hub.runJobs();
    const {
      data: [row],
    } = await list(`?eventId=${event.eventId}`);
    expect(row?.id).toBe(id);
    const at = String(row?.['receivedAt']);
    const after = new Date(new Date(at).getTime() + 1).toISOString();
    for (const query of [
      '?correlationId=txn%20filter',
      '?correlationId=txn%20filter&status=failed&partner=goodera&direction=inbound',
      `?eventId=${event.eventId}&from=${at}&to=${after}`,
      `?eventId=${event.eventId}&endpointId=${goodera.id}`,
    ])
      expect((await list(query)).data.map((found) => found.id)).toEqual([id]);
    for (const query of [
      '?correlationId=txn%20filter&status=success',
      '?correlationId=txn%20filter&partner=workday',
      `?eventId=${event.eventId}&from=${after}`,
      `?eventId=${event.eventId}&to=${at}`,
      '?correlationId=txn%20filter&direction=outbound',
    ])
      expect((await list(query)).data).toEqual([]);
  });

  test.each([
    ['?status=great', '/query/status'],
    ['?partner=nobody', '/query/partner'],
    ['?limit=0', '/query/limit'],
    ['?limit=x', '/query/limit'],
    ['?from=yesterday', '/query/from'],
    ['?from=0001-01-01T00:00:00Z', '/query/from'],
    ['?cursor=zzz', '/query/cursor'],
    ['?page=2', '/query/page'],
    ['?eventId=a%00b', '/query/eventId'],
    ['?eventId=', '/query/eventId'],
  ])('%s is refused naming %s', async (query, pointer) => {
    const answer = await read(hub, companyId, `/deliveries${query}`);
    expect(answer.statusCode).toBe(400);
    expect(answer.json<{ errors: { pointer: string }[] }>().errors[0]?.pointer).toBe(pointer);
  });

  test('nothing of another company is seen, by list, id or statistics', async () => {
    const id = await receive('private', 'data.processed', 'txn private');
    await hub.runJobs();
    const stranger = await hub.addCompany();
    expect((await list('', stranger)).data).toEqual([]);
    for (const path of [`/deliveries/${id}`, `/receipts/${id}`, `/endpoints/${goodera.id}`, `/receipts/${newId()}`])
      expect((await read(hub, stranger, path)).statusCode).toBe(404);
    expect((await read(hub, companyId, '/receipts/ffffffff-ffff-4fff-bfff-ffffffffffff')).statusCode).toBe(404);
    expect((await read(hub, stranger, '/endpoints')).json<Page>().data).toEqual([]);
    expect((await read(hub, stranger, '/receipts')).json<Page>().data).toEqual([]);
    expect((await read(hub, stranger, '/stats')).json()).toMatchObject({
      deliveries: { total: 0 },
      receipts: { total: 0, acceptedRatio: null },
    });
    const pause = await hub.server.inject({
      method: 'POST',
      url: `/api/v1/impact-in/endpoints/${goodera.id}/pause`,
      headers: { 'x-test-company': stranger },
    });
    expect(pause.statusCode).toBe(404);
  });

  test('receipts show what was quarantined, repeated and rejected; the figures add up', async () => {
    const company = await hub.addCompany();
    const endpoint = await hub.addEndpoint(company, { partner: 'workday' });
    const event = eventOf('workday', 'figures');
    await sendSigned(hub, endpoint, event.body);
    await sendSigned(hub, endpoint, event.body);
    await sendSigned(hub, endpoint, Buffer.from('{'));
    await sendSigned(hub, endpoint, event.body, { secret: 'wrong' });
    await hub.runJobs();
    const outcomesOf = async (query: string) =>
      (await read(hub, company, `/receipts${query}`)).json<Page>().data.map((row) => row['outcome']);
    await expect.poll(() => outcomesOf('?outcome=rejected')).toEqual(['rejected']);
    expect((await outcomesOf('')).sort()).toEqual(['accepted', 'duplicate', 'quarantined', 'rejected']);
    expect(await outcomesOf('?outcome=quarantined')).toEqual(['quarantined']);
    expect(await outcomesOf(`?eventId=${event.eventId}`)).toEqual(['duplicate', 'accepted']);
    expect((await read(hub, company, '/stats')).json()).toMatchObject({
      deliveries: { total: 1, byPartner: { workday: { success: 1 } } },
      receipts: {
        total: 4,
        byOutcome: { accepted: 1, duplicate: 1, conflict: 0, quarantined: 1, rejected: 1 },
        acceptedRatio: 0.5,
      },
    });
    expect((await read(hub, company, '/stats?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z')).statusCode).toBe(400);
  });
});
