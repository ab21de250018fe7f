import { expect, test } from 'vitest';
import { eventOf, read, sendSigned, useTestHub } from '../test-hub.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();
const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });

const figure = async (name: string): Promise<number> => {
  const line = (await hub.metrics.metrics()).split('\n').find((text) => text.startsWith(`${name} `));
  return Number(line?.slice(name.length));
};
const statsOf = async () => (await read(hub, companyId, '/stats')).json();

test('receipts that wait show with their age, then as processed with their latency; given up ones are counted apart', async () => {
  expect(await figure('impact_in_backlog_receipts')).toBe(0);
  for (const seed of ['a', 'b'])
    await sendSigned(hub, endpoint, eventOf('benevity', seed, { eventType: 'delivery.success' }).body);
  await hub.owner`update job set created_at = now() - interval '90 seconds'`;
  expect(await figure('impact_in_backlog_receipts')).toBe(2);
  expect(await figure('impact_in_backlog_oldest_seconds')).toBeGreaterThan(89);
  expect(await statsOf()).toMatchObject({ backlog: { receipts: 2, dead: 0 }, deliveries: { successRatio: null } });
  await hub.runJobs();
  expect(await figure('impact_in_backlog_receipts')).toBe(0);
  expect(await figure('impact_in_processing_latency_seconds_count{partner="benevity"}')).toBe(2);
  expect(await statsOf()).toMatchObject({
    backlog: { receipts: 0, oldestSeconds: 0 },
    deliveries: { successRatio: 1 },
    receipts: { acceptedRatio: 1 },
    replays: { succeeded: 0, failed: 0, successRatio: null },
  });
  const { receiptId } = (await sendSigned(hub, endpoint, eventOf('benevity', 'c').body)).json<{ receiptId: string }>();
  await hub.owner`update job set state = 'dead' where payload->>'receiptId' = ${receiptId}`;
  expect(await figure('impact_in_dead_receipts')).toBe(1);
  expect(await figure('impact_in_backlog_receipts')).toBe(0);
});

test('the days ahead and what is stored are there', async () => {
  expect(await figure('impact_in_receipt_days_ahead')).toBe(7);
  for (const what of ['receipts', 'events', 'deliveries', 'entries'])
    expect(await figure(`impact_in_storage_bytes{what="${what}"}`)).toBeGreaterThan(0);
});

test('the quarantine is counted by partner, without what was taken since', async () => {
  await sendSigned(hub, endpoint, Buffer.from('no JSON'));
  const [first] = await hub.owner<{ id: string }[]>`select id from impact_in_receipt where outcome = 'quarantined'`;
  const counted = async () =>
    Object.fromEntries(
      (
        await hub.db.systemSql<{ partner: string; n: number }[]>`
        select partner, quarantined::int as n from impact_in_quarantined(7)`
      ).map(({ partner, n }) => [partner, n]),
    );
  expect(await counted()).toEqual({ benevity: 1 });
  await hub.owner`
    insert into impact_in_reverification
      (receipt_id, company_id, result, actor_kind, actor_id, created_at, updated_at)
    values (${first?.id ?? ''}, ${companyId}, 'accepted', 'system', 'test', now(), now())`;
  expect(await counted()).toEqual({});
});
