import { newId } from '@impact-hub/core';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deliveryStatuses } from '../tables.ts';
import { applyEvents, type ReceivedEvent } from './apply-events.ts';
import { applyEvent } from './test-apply-event.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const now = new Date('2026-03-01T12:00:00Z');
const partners = ['benevity', 'goodera'] as const;

/** One event of the model: few entities, few moments and all statuses, so that everything that can meet does. */
type Event = { entity: number | null; minute: number; status: (typeof deliveryStatuses)[number]; partner: number };
const anEvent: fc.Arbitrary<Event> = fc.record({
  entity: fc.option(fc.nat(2), { freq: 10 }),
  minute: fc.nat(4),
  status: fc.constantFrom(...deliveryStatuses),
  partner: fc.nat(1),
});

/** A history: events in the order of their receipt, and the batches in which they are processed, in any order. */
type History = { events: Event[]; batches: number[][] };
const aHistory = (most: number, batchCount: number): fc.Arbitrary<History> =>
  fc
    .array(anEvent, { minLength: 1, maxLength: most })
    .chain((events) =>
      fc.record({
        events: fc.constant(events),
        order: fc.shuffledSubarray(
          events.map((_, index) => index),
          { minLength: events.length },
        ),
        batchOf: fc.array(fc.nat(batchCount - 1), { minLength: events.length, maxLength: events.length }),
      }),
    )
    .map(({ events, order, batchOf }) => ({
      events,
      batches: Array.from({ length: batchCount }, (_, batch) =>
        order.filter((index) => batchOf[index] === batch),
      ).filter((batch) => batch.length > 0),
    }));

/** The events as receipts of a new company; ids rise in the order of receipt. */
const receive = (events: readonly Event[]): { companyId: string; received: ReceivedEvent[] } => {
  const companyId = newId();
  const received = events.map(({ entity, minute, status, partner }): ReceivedEvent => {
    const id = newId();
    const name = partners[partner] ?? 'benevity';
    return {
      receipt: { id, companyId, partner: name, endpointId: newId(), eventId: `event ${id}`, receivedAt: now },
      event: {
        eventId: `event ${id}`,
        eventType: 'test',
        correlationId: entity === null ? null : `thing ${entity}`,
        entityKey: entity === null ? null : `transaction:thing ${entity}`,
        status,
        occurredAt: new Date(now.getTime() + minute * 60_000),
      },
    };
  });
  return { companyId, received };
};

const pick = (received: readonly ReceivedEvent[], batch: readonly number[]): ReceivedEvent[] =>
  batch.flatMap((index) => received[index] ?? []);

/** Everything that shows of a company's deliveries, with the number of the event in place of ids. */
const stateOf = async (companyId: string, received: readonly ReceivedEvent[]) => {
  const numbers = new Map(received.map(({ receipt }, index) => [receipt.id, index]));
  const rows = await database.owner<Record<string, unknown>[]>`
    select d.id, status, reported, outcome, attempts, settled_by, partner, correlation_id, entity_key, occurred_at,
      (select array_agg(a.result || a.number order by a.number) from impact_in_attempt a where a.delivery_id = d.id) as log
    from impact_in_delivery d where company_id = ${companyId} order by d.id`;
  return rows.map(({ id, settled_by: settledBy, ...row }) => ({
    ...row,
    event: numbers.get(String(id)),
    settledBy: settledBy === null ? null : numbers.get(String(settledBy)),
  }));
};

const applyInBatches = async ({ events, batches }: History): Promise<unknown> => {
  const { companyId, received } = receive(events);
  for (const batch of batches)
    await database.db.company(companyId, (tx) => applyEvents(tx, pick(received, batch), now));
  return stateOf(companyId, received);
};

/** The reference: one event, one statement, the oldest of a batch first. */
const applyOneByOne = async ({ events, batches }: History): Promise<unknown> => {
  const { companyId, received } = receive(events);
  for (const batch of batches)
    await database.db.company(companyId, async (tx) => {
      const moment = ({ event, receipt }: ReceivedEvent) => `${event.occurredAt.toISOString()} ${receipt.id}`;
      for (const { receipt, event } of pick(received, batch).toSorted((a, b) => (moment(a) < moment(b) ? -1 : 1)))
        await applyEvent(tx, receipt, event, now);
    });
  return stateOf(companyId, received);
};

test('batches, split and ordered in any way, end as the same events applied one by one', async () => {
  const property = fc.asyncProperty(aHistory(14, 4), async (history) => {
    expect(await applyInBatches(history)).toEqual(await applyOneByOne(history));
  });
  await fc.assert(property, { numRuns: 120 });
});

const permutations = <T>(items: readonly T[]): T[][] =>
  items.length <= 1
    ? [[...items]]
    : items.flatMap((item, index) =>
        permutations(items.filter((_, other) => other !== index)).map((rest) => [item, ...rest]),
      );

test('batches of several workers at once end as if they had come one after the other', async () => {
  const property = fc.asyncProperty(aHistory(12, 3), async ({ events, batches }) => {
    const { companyId, received } = receive(events);
    await Promise.all(
      batches.map((batch) => database.db.company(companyId, (tx) => applyEvents(tx, pick(received, batch), now))),
    );
    const ended = await stateOf(companyId, received);
    const possible: unknown[] = [];
    for (const order of permutations(batches)) possible.push(await applyOneByOne({ events, batches: order }));
    expect(possible).toContainEqual(ended);
  });
  await fc.assert(property, { numRuns: 25 });
});

test('repeating batches, wholly or in part, alone or at once, changes nothing', async () => {
  const property = fc.asyncProperty(aHistory(10, 2), aHistory(10, 3), async ({ events, batches }, again) => {
    const { companyId, received } = receive(events);
    for (const batch of batches)
      await database.db.company(companyId, (tx) => applyEvents(tx, pick(received, batch), now));
    const before = await stateOf(companyId, received);
    const repeated = await Promise.all(
      again.batches.map((batch) =>
        database.db.company(companyId, (tx) => applyEvents(tx, pick(received, batch), new Date(0))),
      ),
    );
    expect(repeated.flatMap(({ written, settledIds }) => [...written.keys(), ...settledIds])).toEqual([]);
    expect(await stateOf(companyId, received)).toEqual(before);
  });
  await fc.assert(property, { numRuns: 25 });
});

test('what is reported as changed is what has changed', async () => {
  const property = fc.asyncProperty(aHistory(12, 3), async ({ events, batches }) => {
    const { companyId, received } = receive(events);
    for (const batch of batches) {
      const before = await stateOf(companyId, received);
      const applied = await database.db.company(companyId, (tx) => applyEvents(tx, pick(received, batch), now));
      const after = await stateOf(companyId, received);
      const changed = after.filter((row) => !before.some((old) => JSON.stringify(old) === JSON.stringify(row)));
      const reported = [...applied.written.keys(), ...applied.settledIds].map((id) =>
        received.findIndex(({ receipt }) => receipt.id === id),
      );
      expect(reported.toSorted()).toEqual(changed.map(({ event }) => event).toSorted());
    }
  });
  await fc.assert(property, { numRuns: 40 });
});
