import { beforeEach, expect, test } from 'vitest';
import { useStage } from '../outbound/test-outbound.ts';
import { deliver, start, statusOf, tick } from './test-replays.ts';

let companyId: string;
let connectionId: string;
const stage = await useStage({ hub: { outbound: { retryDelaysSeconds: [1] } } });
beforeEach(async () => {
  stage.hub.breakers.reset();
  stage.partner.forgetFaults();
  companyId = await stage.hub.addCompany();
  connectionId = await stage.connect(companyId, 'benevity');
});

const replayed = async (path: string, body?: object) => {
  const { id } = await start(stage.hub, companyId, path, body);
  await tick(stage.hub);
  await stage.sendAll();
  await tick(stage.hub);
  return statusOf(stage.hub, companyId, id);
};
const requestsOf = (id: string) => stage.partner.records().filter(({ idempotencyKey }) => idempotencyKey === id);

/** The partner keeps the event and resets the connection each time: the hub gives it up without knowing that it arrived. */
const sendInVain = async (): Promise<string> => {
  const id = await stage.send(companyId, connectionId);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    stage.partner.inject('resetAfterCommit');
    await stage.hurry();
    await stage.sendDue();
  }
  expect(await stage.detail(companyId, id)).toMatchObject({ status: 'failed', outcome: 'dead', attempts: 2 });
  return id;
};

test('an outbound delivery that failed is sent again under the same idempotency key, and has one effect', async () => {
  const id = await sendInVain();
  expect(await replayed('/deliveries/retry-all-failed', { direction: 'outbound' })).toMatchObject({
    state: 'done',
    selected: 1,
    succeeded: 1,
  });
  expect(requestsOf(id)).toHaveLength(1);
  expect(await stage.detail(companyId, id)).toMatchObject({ status: 'success', attempts: 3 });
});

test('one that is refused again is told with the reason', async () => {
  const id = await sendInVain();
  const { id: replayId } = await start(stage.hub, companyId, `/deliveries/${id}/replay`);
  stage.partner.inject('resetAfterCommit');
  await stage.hurry();
  await stage.sendDue();
  await tick(stage.hub);
  const told = await statusOf(stage.hub, companyId, replayId);
  expect(told).toMatchObject({ state: 'done', failed: 1, failures: { data: [{ deliveryId: id }] } });
  expect(told.failures.data[0]?.reason).toContain('tried again by itself');
  await stage.sendAll();
});

test('one that succeeded is skipped, unless those are asked for, and still has one effect', async () => {
  const id = await stage.send(companyId, connectionId);
  await stage.sendAll();
  expect(await replayed('/deliveries/bulk-replay', { ids: [id] })).toMatchObject({ state: 'done', skipped: 1 });
  expect(await stage.detail(companyId, id)).toMatchObject({ status: 'success', attempts: 1 });
  expect(await replayed('/deliveries/bulk-replay', { ids: [id], includeSucceeded: true })).toMatchObject({
    state: 'done',
    succeeded: 1,
  });
  expect(await stage.detail(companyId, id)).toMatchObject({ status: 'success', attempts: 2 });
  expect(requestsOf(id)).toHaveLength(1);
});

test('one whose connection is gone is skipped and says so', async () => {
  const id = await sendInVain();
  expect((await stage.ask(companyId, 'DELETE', `/connections/${connectionId}`)).statusCode).toBeLessThan(300);
  const told = await replayed('/deliveries/bulk-replay', { ids: [id] });
  expect(told).toMatchObject({ state: 'done', skipped: 1 });
  const items = (await stage.ask(companyId, 'GET', `/replays/${told.id}/items?state=skipped`)).json<{
    data: { reason: string }[];
  }>();
  expect(items.data[0]?.reason).toBe('its connection is deleted');
});

test('a corrected event decides about the outbound delivery it reports on', async () => {
  const endpoint = await stage.hub.addEndpoint(companyId, { partner: 'benevity' });
  const transactionId = stage.newTransactionId();
  const outbound = await stage.send(companyId, connectionId, { transactionId });
  await stage.sendAll();
  const options = { eventType: 'delivery.failed', correlationId: transactionId };
  const inbound = await deliver(stage.hub, endpoint, 'reports a failure', options);
  expect(await stage.detail(companyId, outbound)).toMatchObject({ status: 'failed', settledBy: inbound });
  // As if an older mapping had read it as one that leaves everything open.
  await stage.hub.owner`update impact_in_delivery set reported = 'pending', status = 'pending' where id = ${inbound}`;
  await stage.hub.owner`update impact_in_delivery set status = 'success', settled_by = null where id = ${outbound}`;
  await stage.hub.owner`update impact_in_outbound set event_at = null where delivery_id = ${outbound}`;
  await start(stage.hub, companyId, `/deliveries/${inbound}/replay`);
  expect(await stage.detail(companyId, inbound)).toMatchObject({ status: 'failed' });
  expect(await stage.detail(companyId, outbound)).toMatchObject({ status: 'failed', settledBy: inbound });
});
