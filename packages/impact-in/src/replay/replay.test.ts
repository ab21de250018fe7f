import { newId } from '@impact-hub/core';
import { describe, expect, test } from 'vitest';
import { read, useTestHub } from '../test-hub.ts';
import { deliver, deliverDead, post, start, statusOf, tick } from './test-replays.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();
const goodera = await hub.addEndpoint(companyId, { partner: 'goodera' });

type Row = Record<string, unknown> & { attemptLog: Record<string, unknown>[] };
const delivery = async (id: string): Promise<Row> => (await read(hub, companyId, `/deliveries/${id}`)).json<Row>();
const audited = (type: string, id: string) => hub.owner`
  select actor_kind, actor_id, convert_from(body, 'UTF8') as body from audit_event where type = ${type} and resource_id = ${id} order by id`;

describe('a delivery that was not processed', () => {
  test('is processed now by the job it has, its attempts counted on, its replay shown', async () => {
    const { id, mend } = await deliverDead(hub, goodera, 'dead', { eventType: 'data.processed' });
    expect(await delivery(id)).toMatchObject({ status: 'failed', outcome: 'dead', attempts: 1 });
    await mend();
    const replay = await start(hub, companyId, `/deliveries/${id}/replay`, { reason: 'The key is back' });
    expect(replay).toMatchObject({ kind: 'one', state: 'running', selected: 1, inFlight: 1, done: 0 });
    expect(await hub.owner`select state, attempts from job where id = ${id}`).toMatchObject([
      { state: 'queued', attempts: 1 },
    ]);
    expect(await hub.runJobs()).toEqual(['done']);
    await tick(hub);
    expect(await statusOf(hub, companyId, replay.id)).toMatchObject({
      state: 'done',
      succeeded: 1,
      inFlight: 0,
      done: 1,
    });
    expect(await delivery(id)).toMatchObject({
      status: 'success',
      outcome: 'applied',
      attempts: 2,
      attemptLog: [
        { number: 1, result: 'failure', replayId: null },
        { number: 2, result: 'success', replayId: replay.id },
      ],
    });
    const [event] = await audited('impact_in.delivery.replayed', id);
    expect(event).toMatchObject({ actor_kind: 'api_key', actor_id: 'testkey00000' });
    expect(JSON.stringify(event)).toContain('The key is back');
  });

  test('that fails again is told with the reason, and stays replayable', async () => {
    const { id, mend } = await deliverDead(hub, goodera, 'dead twice');
    const replay = await start(hub, companyId, '/deliveries/bulk-replay', { ids: [id] });
    await tick(hub);
    expect(await hub.runJobs()).toEqual(['dead']);
    await tick(hub);
    expect(await statusOf(hub, companyId, replay.id)).toMatchObject({
      state: 'done',
      failed: 1,
      failures: { data: [{ deliveryId: id, reason: 'the receipt does not exist' }], nextCursor: null },
    });
    await mend();
    await start(hub, companyId, `/deliveries/${id}/replay`);
    await hub.runJobs();
    expect(await delivery(id)).toMatchObject({ outcome: 'applied', attempts: 3 });
  });

  test('never gets a second job, however often and in how many replays it is asked for', async () => {
    const { id, mend } = await deliverDead(hub, goodera, 'asked for often');
    await mend();
    const path = `/deliveries/${id}/replay`;
    const replays = await Promise.all([1, 2, 3].map(() => start(hub, companyId, path)));
    await start(hub, companyId, '/deliveries/retry-all-failed', { outcome: 'dead' });
    await tick(hub);
    expect(await hub.owner`select id from job where state <> 'dead'`).toHaveLength(1);
    expect(await hub.runJobs()).toEqual(['done']);
    await tick(hub);
    for (const replay of replays)
      expect(await statusOf(hub, companyId, replay.id)).toMatchObject({ state: 'done', succeeded: 1 });
    expect(await delivery(id)).toMatchObject({ attempts: 2, outcome: 'applied' });
    expect(
      await hub.owner`select 1 from audit_event where type = 'impact_in.event.processed' and resource_id = ${id}`,
    ).toHaveLength(1);
  });

  test('whose job is running is left to it', async () => {
    const { id, mend } = await deliverDead(hub, goodera, 'running');
    await mend();
    await hub.owner`update job set state = 'dispatched', generation = 7, lease_until = now() + interval '1 minute' where id = ${id}`;
    await start(hub, companyId, `/deliveries/${id}/replay`);
    expect(await hub.owner`select state, generation from job where id = ${id}`).toMatchObject([
      { state: 'dispatched', generation: 7 },
    ]);
    await hub.owner`update job set state = 'queued' where id = ${id}`;
    await hub.runJobs();
  });
});

describe('a delivery that was processed', () => {
  test('is applied again with the same result: nothing changes but the list of attempts', async () => {
    const id = await deliver(hub, goodera, 'processed', { eventType: 'data.processed', correlationId: 'txn again' });
    const { attemptLog: _log, updatedAt: _at, attempts: _n, ...before } = await delivery(id);
    const replay = await start(hub, companyId, `/deliveries/${id}/replay`);
    expect(replay).toMatchObject({ state: 'done', succeeded: 1, selected: 1 });
    const after = await delivery(id);
    expect(after).toMatchObject(before);
    expect(after).toMatchObject({
      attempts: 2,
      attemptLog: [{ number: 1 }, { number: 2, result: 'success', replayId: replay.id }],
    });
    expect(await audited('impact_in.delivery.replayed', id)).toHaveLength(1);
    expect(
      await hub.owner`select 1 from audit_event where type = 'impact_in.event.processed' and resource_id = ${id}`,
    ).toHaveLength(1);
  });

  test('becomes, with its entity, what it is by the mapping of today', async () => {
    const t = Date.now() - 60_000;
    const correlationId = 'txn mapped';
    const first = await deliver(hub, goodera, 'map 1', { eventType: 'data.received', correlationId, nowMs: t });
    const second = await deliver(hub, goodera, 'map 2', {
      eventType: 'data.processed',
      correlationId,
      nowMs: t + 1_000,
    });
    const third = await deliver(hub, goodera, 'map 3', { eventType: 'data.failed', correlationId, nowMs: t + 2_000 });
    const good = [
      { status: 'success', reported: 'pending', settledBy: second },
      { status: 'success', reported: 'success', settledBy: null },
      { status: 'failed', reported: 'failed', settledBy: null },
    ];
    // As if an older mapping had read the second event as one that leaves everything open.
    await hub.owner`update impact_in_delivery set reported = 'pending', status = 'failed', settled_by = ${third} where id = ${second}`;
    await hub.owner`update impact_in_delivery set status = 'failed', settled_by = ${third} where id = ${first}`;
    expect(await start(hub, companyId, `/deliveries/${second}/replay`)).toMatchObject({ state: 'done', succeeded: 1 });
    const seen = async (id: string) => {
      const { status, reported, settledBy } = await delivery(id);
      return { status, reported, settledBy };
    };
    expect([await seen(first), await seen(second), await seen(third)]).toEqual(good);
  });

  test('whose bytes cannot be read any more fails, and is what it was', async () => {
    const id = await deliver(hub, goodera, 'unreadable', { eventType: 'data.processed' });
    await hub.owner`update impact_in_receipt set sealed = '\\x00' where id = ${id}`;
    const replay = await start(hub, companyId, `/deliveries/${id}/replay`);
    expect(await statusOf(hub, companyId, replay.id)).toMatchObject({
      state: 'done',
      failed: 1,
      failures: { data: [{ deliveryId: id, reason: 'the stored request cannot be opened: DecryptionFailed' }] },
    });
    expect(await delivery(id)).toMatchObject({
      status: 'success',
      outcome: 'applied',
      attemptLog: [{ result: 'success' }, { result: 'failure', replayId: replay.id }],
    });
  });
});

describe('a selection', () => {
  test('takes ids of the company once each, and lets nothing be known of others', async () => {
    const stranger = await hub.addCompany();
    const theirs = await deliver(hub, await hub.addEndpoint(stranger, { partner: 'goodera' }), 'theirs');
    const mine = await deliver(hub, goodera, 'mine');
    const ask = async (other: string) => {
      const replay = await start(hub, companyId, '/deliveries/bulk-replay', { ids: [mine, other, mine] });
      await tick(hub);
      const {
        id: _id,
        createdAt: _c,
        startedAt: _s,
        finishedAt: _f,
        snapshotAt: _a,
        rate: _r,
        ...told
      } = await statusOf(hub, companyId, replay.id);
      return told;
    };
    const told = await ask(theirs);
    expect(told).toMatchObject({ kind: 'selection', state: 'done', selected: 1, succeeded: 1 });
    expect(await ask(newId())).toEqual(told);
    expect((await read(hub, stranger, `/deliveries/${theirs}`)).json<Row>()['attempts']).toBe(1);
    const answers = await Promise.all([theirs, newId()].map((id) => post(hub, companyId, `/deliveries/${id}/replay`)));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([404, 404]);
  });

  test('by a window holds what had been received when it was asked for, and matches every condition', async () => {
    const company = await hub.addCompany();
    const endpoint = await hub.addEndpoint(company, { partner: 'benevity' });
    const ids = [];
    for (let n = 0; n < 5; n += 1)
      ids.push(await deliver(hub, endpoint, `window ${n}`, { correlationId: `txn ${n % 2}` }));
    const from = new Date(Date.now() - 60_000).toISOString();
    const replay = await start(hub, company, '/deliveries/bulk-replay', { from, correlationId: 'txn 0' });
    expect(replay).toMatchObject({ kind: 'window', state: 'waiting', selected: 3, isSelected: true });
    await deliver(hub, endpoint, 'late', { correlationId: 'txn 0' });
    await tick(hub);
    expect(await statusOf(hub, company, replay.id)).toMatchObject({ state: 'done', selected: 3, succeeded: 3 });
    const items = (await read(hub, company, `/replays/${replay.id}/items`)).json<{ data: { deliveryId: string }[] }>();
    expect(items.data.map(({ deliveryId }) => deliveryId)).toEqual([ids[0], ids[2], ids[4]]);
    for (const nothing of [
      { status: 'retrying' },
      { partner: 'workday' },
      { direction: 'outbound' },
      { outcome: 'dead' },
      { endpointId: newId() },
      { eventType: 'nothing' },
      { to: from },
    ])
      expect(
        (
          await post(hub, company, '/deliveries/bulk-replay', {
            from: '2026-01-01T00:00:00Z',
            dryRun: true,
            ...nothing,
          })
        ).json<{ selected: number }>().selected,
      ).toBe(0);
  });

  test('of all that failed is found by status', async () => {
    const company = await hub.addCompany();
    const endpoint = await hub.addEndpoint(company, { partner: 'goodera' });
    await deliver(hub, endpoint, 'fine', { eventType: 'data.processed' });
    await deliver(hub, endpoint, 'reported', { eventType: 'data.failed' });
    const { id, mend } = await deliverDead(hub, endpoint, 'given up', { eventType: 'data.processed' });
    await mend();
    const count = async (body?: object) =>
      (await post(hub, company, '/deliveries/retry-all-failed', { ...body, dryRun: true })).json<{ selected: number }>()
        .selected;
    expect([await count(), await count({ outcome: 'dead' }), await count({ partner: 'workday' })]).toEqual([2, 1, 0]);
    const replay = await start(hub, company, '/deliveries/retry-all-failed');
    await tick(hub);
    await hub.runJobs();
    await tick(hub);
    expect(await statusOf(hub, company, replay.id)).toMatchObject({
      kind: 'retry_failed',
      state: 'done',
      succeeded: 2,
    });
    expect((await read(hub, company, `/deliveries/${id}`)).json<Row>()['status']).toBe('success');
  });
});
