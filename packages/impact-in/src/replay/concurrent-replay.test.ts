import { expect, test } from 'vitest';
import { processReceipts } from '../deliveries/process-receipt.ts';
import { eventOf, sendSigned, useTestHub } from '../test-hub.ts';
import { start, statusOf, tick } from './test-replays.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();
const endpoint = await hub.addEndpoint(companyId, { partner: 'goodera' });

const types = ['data.received', 'data.processed', 'data.failed'];
const receive = async (from: number, count: number): Promise<string[]> => {
  const ids: string[] = [];
  for (let n = from; n < from + count; n += 1) {
    // Few entities, times in no order.
    const more = {
      eventType: types[n % 3] ?? '',
      correlationId: `txn ${n % 4}`,
      nowMs: Date.now() - ((n * 7_919) % 60_000),
    };
    ids.push(
      (await sendSigned(hub, endpoint, eventOf('goodera', `at once ${n}`, more).body)).json<{ receiptId: string }>()
        .receiptId,
    );
  }
  return ids;
};
const states = () => hub.owner`
  select id, event_type, reported, status, outcome, settled_by from impact_in_delivery where company_id = ${companyId} order by id`;

test('replays and live processing of the same entities, all at once, do not get in each other’s way', async () => {
  const old = await receive(0, 60);
  await hub.runJobs();
  // As if an older mapping had read some of them wrongly, so that the replay has much to put right.
  const wrong = old.filter((_, n) => n % 4 === 0);
  await hub.owner`update impact_in_delivery set reported = 'pending', status = 'pending' where id = any(${wrong}::uuid[])`;
  const fresh = await receive(60, 45);
  const bulk = await start(hub, companyId, '/deliveries/bulk-replay', { ids: old, ratePerSecond: 1_000 });
  const [failures] = await Promise.all([
    Promise.all(
      [0, 1, 2].map((part) => {
        const batch = fresh.filter((_, n) => n % 3 === part).toReversed();
        return hub.db.company(companyId, (tx) => processReceipts(tx, hub.impactIn.deps, batch));
      }),
    ),
    tick(hub),
    tick(hub),
    ...old.slice(0, 8).map((id) => start(hub, companyId, `/deliveries/${id}/replay`)),
  ]);
  expect(failures.map((each) => each.size)).toEqual([0, 0, 0]);
  await tick(hub);
  expect(await statusOf(hub, companyId, bulk.id)).toMatchObject({ state: 'done', succeeded: 60, lastError: null });
  const settled = await states();
  expect(settled).toHaveLength(105);
  expect(
    settled.filter(({ event_type: type, reported }) => type === 'data.processed' && reported !== 'success'),
  ).toEqual([]);
  const again = await start(hub, companyId, '/deliveries/bulk-replay', {
    ids: [...old, ...fresh],
    ratePerSecond: 1_000,
  });
  await tick(hub);
  expect(await statusOf(hub, companyId, again.id)).toMatchObject({ state: 'done', succeeded: 105 });
  expect(await states()).toEqual(settled);
});
