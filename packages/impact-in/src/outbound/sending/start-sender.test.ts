import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { payload, useStage } from '../test-outbound.ts';
import { startSender } from './start-sender.ts';

const stops: (() => Promise<void>)[] = [];
const stage = await useStage();
const companyId = await stage.hub.addCompany();
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const sender = async (sweepIntervalMs = 1_000) => {
  const started = await startSender(stage.deps, { sweepIntervalMs });
  stops.push(started.stop);
};
const open = async (connectionId: string): Promise<number> =>
  (await stage.hub.owner`select 1 from impact_in_outbound where connection_id = ${connectionId} and state <> 'done'`)
    .length;
const keysOf = (ids: readonly string[]): string[] =>
  stage.partner.calls().flatMap(({ headers }) => {
    const key = String(headers['idempotency-key'] ?? headers['x-idempotency-key'] ?? '');
    return ids.includes(key) ? [key] : [];
  });

test('what is taken is sent at once, without waiting for a sweep', async () => {
  await sender(60_000);
  const connectionId = await stage.connect(companyId, 'benevity');
  const id = await stage.send(companyId, connectionId);
  await expect.poll(() => open(connectionId)).toBe(0);
  expect(await stage.detail(companyId, id)).toMatchObject({ status: 'success', attempts: 1 });
});

test('three senders make each call once', async () => {
  const connectionIds = [];
  const ids: string[] = [];
  for (const api of ['benevity', 'goodera', 'workday-rest'] as const) {
    const connectionId = await stage.connect(companyId, api);
    connectionIds.push(connectionId);
    for (let n = 0; n < 15; n += 1) ids.push(await stage.send(companyId, connectionId));
  }
  await Promise.all([sender(), sender(), sender()]);
  for (const connectionId of connectionIds) await expect.poll(() => open(connectionId), { timeout: 15_000 }).toBe(0);
  expect(keysOf(ids).toSorted()).toEqual(ids.toSorted());
}, 30_000);

test('senders keep to a connection’s rate together', async () => {
  const connectionId = await stage.connect(companyId, 'goodera', { requestsPerMinute: 600 });
  const ids: string[] = [];
  for (let n = 0; n < 12; n += 1) ids.push(await stage.send(companyId, connectionId));
  await Promise.all([sender(), sender()]);
  await expect.poll(() => open(connectionId), { timeout: 15_000 }).toBe(0);
  const [row] = await stage.hub.owner<{ seconds: number }[]>`
    select extract(epoch from max(started_at) - min(started_at))::float8 as seconds from impact_in_outbound_attempt
    where delivery_id = any(${ids}::uuid[])`;
  // Eleven distances of 100 ms; a claim may have waited for its commit.
  expect(row?.seconds).toBeGreaterThan(1);
}, 30_000);

test('a partner that asks for a pause is left alone for so long, for all deliveries', async () => {
  const connectionId = await stage.connect(companyId, 'goodera');
  const ids: string[] = [];
  for (let n = 0; n < 5; n += 1) ids.push(await stage.send(companyId, connectionId));
  stage.partner.inject('tooMany429');
  const before = stage.partner.calls().length;
  await sender();
  await expect.poll(async () => (await stage.detail(companyId, ids[0] ?? '')).status).toBe('retrying');
  const early = stage.partner.calls().slice(before);
  // The four lanes of the connection may have been under way.
  expect(early.length).toBeLessThanOrEqual(4);
  const [row] = await stage.hub.owner<{ paused: boolean }[]>`
    select next_call_at > updated_at + interval '1 second' as paused from impact_in_connection where id = ${connectionId}`;
  expect(row?.paused).toBe(true);
  await expect.poll(() => open(connectionId), { timeout: 15_000, interval: 200 }).toBe(1);
}, 30_000);

test('a company whose partners hang leaves calls to the others', async () => {
  const hanging = await stage.hub.addCompany();
  stage.partner.forgetFaults();
  await stage.sendAll();
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  for (let n = 0; n < 4; n += 1) {
    const connectionId = await stage.connect(hanging, 'benevity', { baseUrl: `${baseUrl}/${n}` });
    for (let m = 0; m < 4; m += 1) await stage.send(hanging, connectionId);
  }
  const connectionId = await stage.connect(companyId, 'benevity');
  const started = await startSender(stage.deps, { maxCalls: 9, maxCallsPerCompany: 8 });
  stops.push(started.stop);
  await stage.send(companyId, connectionId);
  await expect.poll(() => open(connectionId)).toBe(0);
  const [row] = await stage.hub.owner<{ busy: number }[]>`
    select count(*)::int as busy from impact_in_outbound where company_id = ${hanging} and state = 'sending'`;
  expect(row?.busy).toBeLessThanOrEqual(8);
  silent.closeAllConnections();
  silent.close();
});

test('stopping waits for the call under way, and its answer counts', async () => {
  const connectionId = await stage.connect(companyId, 'benevity');
  const before = stage.partner.calls().length;
  stage.partner.inject('hangAfterCommit');
  const id = await stage.send(companyId, connectionId, { payload });
  const started = await startSender(stage.deps);
  await expect.poll(() => stage.partner.calls().length).toBeGreaterThan(before);
  await started.stop();
  expect((await stage.detail(companyId, id)).attemptLog).toMatchObject([{ result: 'unknown', errorClass: 'timeout' }]);
});

test('figures tell of calls, attempts, waits and the backlog', async () => {
  const text = await stage.hub.metrics.metrics();
  expect(text).toMatch(/impact_in_partner_calls_total\{api="benevity",outcome="answered"\} \d/);
  expect(text).toMatch(/impact_in_outbound_attempts_total\{api="goodera",result="success"\} \d/);
  expect(text).toMatch(/impact_in_outbound_waits_total\{api="goodera",reason="rate"\} \d/);
  expect(text).toMatch(/impact_in_outbound_backlog\{state="waiting"\} \d/);
  expect(text).toMatch(/impact_in_outbound_oldest_due_seconds \d/);
});
