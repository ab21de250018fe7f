import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { setTimeout as pause } from 'node:timers/promises';
import { newId, type Tx } from '@impact-hub/core';
import { eventOf, sendSigned } from '../test-hub.ts';
import type { DeliveryStatus } from '../tables.ts';
import { failed, type AttemptEnd } from './sending/attempt-end.ts';
import { claimCall, type Claim } from './sending/claim-call.ts';
import { recordEnds } from './sending/record-ends.ts';
import { useStage } from './test-outbound.ts';
import { settleOutbound, type SettlingEvent } from './settle-outbound.ts';

const stage = await useStage();
const companyId = await stage.hub.addCompany();

const settle = (events: SettlingEvent[], as = companyId) =>
  stage.hub.db.company(as, (tx) => settleOutbound(tx, events, new Date()));

const webhook = async (endpointCompany: string, correlationId: string, eventType = 'data.failed') => {
  const endpoint = await stage.hub.addEndpoint(endpointCompany, { partner: 'goodera' });
  const event = eventOf('goodera', newId(), { correlationId, eventType });
  const answer = await sendSigned(stage.hub, endpoint, event.body);
  expect(answer.statusCode).toBe(200);
  await stage.hub.runJobs();
  return answer.json<{ receiptId: string }>().receiptId;
};

describe('a webhook of the partner', () => {
  test('settles the delivery it reports on by our transaction id, and beats what the API answered', async () => {
    const connectionId = await stage.connect(companyId, 'goodera');
    const transactionId = stage.newTransactionId();
    const id = await stage.send(companyId, connectionId, { transactionId });
    await stage.sendAll();
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'success', correlationId: transactionId });
    const receiptId = await webhook(companyId, transactionId);
    expect(await stage.detail(companyId, id)).toMatchObject({
      status: 'failed',
      outcome: 'applied',
      settledBy: receiptId,
      lastError: 'the partner reported a failure',
    });
  });

  test('settles it by the partner’s transaction id', async () => {
    const connectionId = await stage.connect(companyId, 'goodera');
    const id = await stage.send(companyId, connectionId);
    await stage.sendAll();
    const partnerId = (await stage.detail(companyId, id)).sending?.partnerTransactionId ?? '';
    await webhook(companyId, partnerId);
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'failed' });
  });

  test('that comes before the answer was noted is not lost, by either id', async () => {
    const connectionId = await stage.connect(companyId, 'goodera');
    for (const by of ['ours', 'theirs']) {
      const id = await stage.send(companyId, connectionId);
      stage.partner.inject('resetAfterCommit');
      await stage.hurry();
      await stage.sendDue();
      const record = stage.partner.records().find(({ idempotencyKey }) => idempotencyKey === id);
      await webhook(companyId, by === 'ours' ? id : (record?.id ?? ''));
      expect(await stage.detail(companyId, id)).toMatchObject({ status: by === 'ours' ? 'failed' : 'retrying' });
      await stage.sendAll();
      const found = await stage.detail(companyId, id);
      expect(found).toMatchObject({ status: 'failed' });
      // Ours: the partner has it, so nothing is sent any more.
      expect(found.attempts).toBe(by === 'ours' ? 1 : 2);
    }
  });

  test('of another company settles nothing', async () => {
    const connectionId = await stage.connect(companyId, 'goodera');
    const id = await stage.send(companyId, connectionId);
    await stage.sendAll();
    await webhook(await stage.hub.addCompany(), id);
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'success', settledBy: null });
  });

  test('that is read differently today decides anew', async () => {
    const connectionId = await stage.connect(companyId, 'goodera');
    const id = await stage.send(companyId, connectionId);
    const event = {
      id: newId(),
      partner: 'goodera',
      correlationId: id,
      status: 'failed',
      occurredAt: new Date(),
    } as const;
    expect(await settle([event])).toEqual([id]);
    expect(await settle([event])).toEqual([]);
    expect(await settle([{ ...event, status: 'success' }])).toEqual([id]);
    expect(await stage.detail(companyId, id)).toMatchObject({
      status: 'success',
      settledBy: event.id,
      lastError: null,
    });
  });

  test('of another partner settles nothing', async () => {
    const connectionId = await stage.connect(companyId, 'goodera');
    const id = await stage.send(companyId, connectionId);
    const event = {
      id: newId(),
      partner: 'benevity',
      correlationId: id,
      status: 'failed',
      occurredAt: new Date(),
    } as const;
    expect(await settle([event])).toEqual([]);
  });
});

test('in whatever order, groups and repetitions events come, the newest that closes decides, else the newest', async () => {
  const connectionId = await stage.connect(companyId, 'goodera');
  const statuses = ['pending', 'retrying', 'success', 'failed'] as const satisfies DeliveryStatus[];
  const events = fc.array(
    fc.record({ status: fc.constantFrom(...statuses), second: fc.nat(4), repeated: fc.boolean() }),
    {
      minLength: 1,
      maxLength: 6,
    },
  );
  await fc.assert(
    fc.asyncProperty(events, fc.infiniteStream(fc.nat(3)), async (drafts, groupSizes) => {
      const id = await stage.send(companyId, connectionId);
      const made = drafts.map(({ status, second, repeated }) => ({
        repeated,
        event: {
          id: newId(),
          partner: 'goodera',
          correlationId: id,
          status,
          occurredAt: new Date(Date.UTC(2026, 0, 1, 0, 0, second)),
        },
      }));
      const queue = made.flatMap(({ event, repeated }) => (repeated ? [event, event] : [event]));
      for (const size of groupSizes) {
        if (queue.length === 0) break;
        await settle(queue.splice(0, size + 1));
      }
      const all = made.map(({ event }) => event);
      const closing = all.filter(({ status }) => status === 'success' || status === 'failed');
      const [expected] = (closing.length > 0 ? closing : all).toSorted(
        (a, b) => b.occurredAt.getTime() - a.occurredAt.getTime() || (a.id < b.id ? 1 : -1),
      );
      const found = await stage.detail(companyId, id);
      expect({ status: found.status, settledBy: found.settledBy }).toEqual({
        status: expected?.status,
        settledBy: expected?.id,
      });
    }),
    { numRuns: 60 },
  );
  expect(
    await stage.hub.owner`select 1 from impact_in_outbound where connection_id = ${connectionId} and state <> 'done'`,
  ).toEqual([]);
});

describe('an answer', () => {
  const claimOne = async () => {
    const connectionId = await stage.connect(companyId, 'goodera');
    const id = await stage.send(companyId, connectionId);
    return { id, connectionId, claim: await claimAgain(connectionId) };
  };
  const claimAgain = async (connectionId: string): Promise<Claim> => {
    await stage.hurry();
    const claim = await stage.hub.db.company(companyId, (tx) => claimCall(tx, connectionId));
    if (claim === undefined) throw new Error('nothing was claimed');
    return claim;
  };
  const success = (partnerTransactionId: string | null): AttemptEnd => ({
    result: 'success',
    status: 'success',
    mayRetry: false,
    errorClass: null,
    error: null,
    httpStatus: 200,
    partnerTransactionId,
  });
  const record = (claim: Claim, end: AttemptEnd, meanwhile: () => Promise<void> = () => Promise.resolve()) => {
    const { outbox, clock, outbound } = stage.deps;
    const deps = { outbox, clock, random: () => 0.9, retryDelaysSeconds: outbound.retryDelaysSeconds };
    const attempts = claim.deliveries.map((delivery) => ({ ...delivery, end, sealedExchange: null }));
    return stage.hub.db.company(companyId, async (tx) => {
      await recordEnds(tx, deps, claim.connection, attempts, null);
      await meanwhile();
    });
  };
  const refused = failed('refused', { error: 'no', mayRetry: false, status: 'failed' });

  test('to an earlier claim ends nothing, unless it is good news', async () => {
    const { id, connectionId, claim: first } = await claimOne();
    await stage.expireLeases();
    const second = await claimAgain(connectionId);
    await record(first, refused);
    expect(await stage.detail(companyId, id)).toMatchObject({
      status: 'pending',
      attemptLog: [{ result: 'failure' }, { result: 'started' }],
    });
    await record(second, failed('timeout', { error: 'no answer', result: 'unknown' }));
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'retrying' });
    const third = await claimAgain(connectionId);
    await stage.expireLeases();
    const fourth = await claimAgain(connectionId);
    await record(third, success('late'));
    await record(fourth, refused);
    expect(await stage.detail(companyId, id)).toMatchObject({
      status: 'success',
      sending: { partnerTransactionId: 'late' },
      attemptLog: [{ result: 'failure' }, { result: 'unknown' }, { result: 'success' }, { result: 'failure' }],
    });
  });

  const inbound = (tx: Tx, event: SettlingEvent) => tx.sql`
    insert into impact_in_delivery (id, company_id, direction, partner, event_type, correlation_id, status, reported, outcome,
      occurred_at, received_at, processed_at)
    values (${event.id}, ${companyId}, 'inbound', 'goodera', 'data.failed', ${event.correlationId}, 'failed', 'failed', 'applied',
      ${event.occurredAt}, now(), now())`;
  const eventAbout = (correlationId: string): SettlingEvent => ({
    id: newId(),
    partner: 'goodera',
    correlationId,
    status: 'failed',
    occurredAt: new Date(),
  });

  test('that names its transaction does not miss an event that is being processed', async () => {
    const { id, claim } = await claimOne();
    const event = eventAbout(`ptx-${newId()}`);
    let recorded: Promise<void> | undefined;
    await stage.hub.db.company(companyId, async (tx) => {
      await inbound(tx, event);
      expect(await settleOutbound(tx, [event], new Date())).toEqual([]);
      recorded = record(claim, success(event.correlationId));
      await pause(100);
    });
    await recorded;
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'failed', settledBy: event.id });
  });

  test('is not missed by an event that is processed while it is being noted', async () => {
    const { id, claim } = await claimOne();
    const event = eventAbout(`ptx-${newId()}`);
    let settled: Promise<unknown> | undefined;
    await record(claim, success(event.correlationId), async () => {
      settled = stage.hub.db.company(companyId, async (tx) => {
        await inbound(tx, event);
        await settleOutbound(tx, [event], new Date());
      });
      await pause(100);
    });
    await settled;
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'failed', settledBy: event.id });
  });
});
