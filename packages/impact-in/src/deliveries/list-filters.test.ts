import { newId } from '@impact-hub/core';
import { expect, test } from 'vitest';
import { keepQuarantined, signedRequest } from '../receipts/test-kept.ts';
import { eventOf, read, sendSigned, useTestHub } from '../test-hub.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();
const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });

type Row = { id: string; requestId: string; latencyMs: number };
const list = async (path: string): Promise<Row[]> => {
  const answer = await read(hub, companyId, path);
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${answer.body}`);
  return answer.json<{ data: Row[] }>().data;
};
const idsOf = async (path: string): Promise<string[]> => (await list(path)).map(({ id }) => id);
const deliver = async (seed: string, eventType: string): Promise<string> => {
  const sent = await sendSigned(hub, endpoint, eventOf('benevity', seed, { eventType }).body);
  await hub.runJobs();
  return sent.json<{ receiptId: string }>().receiptId;
};
/** Refused with an uncertain signature, and stored by the time this resolves. */
const refuse = async (seed: string): Promise<string> => {
  const answer = await sendSigned(hub, endpoint, eventOf('benevity', seed).body, { secret: 'another secret' });
  expect(answer.statusCode).toBe(401);
  const { requestId } = answer.json<{ requestId: string }>();
  const isStored = async () =>
    (await hub.owner`select 1 from impact_in_receipt where request_id = ${requestId}`).length;
  await expect.poll(isStored).toBe(1);
  return requestId;
};

test('deliveries whose processing was given up are told from those that the partner reported as failed', async () => {
  const reported = await deliver('reported failed', 'delivery.failed');
  const dead = await deliver('given up', 'delivery.failed');
  const succeeded = await deliver('succeeded', 'delivery.success');
  await hub.owner`update impact_in_delivery set outcome = 'dead' where id = ${dead}`;
  expect(await idsOf('/deliveries?status=failed')).toEqual([dead, reported]);
  expect(await idsOf('/deliveries?outcome=dead')).toEqual([dead]);
  expect(await idsOf('/deliveries?outcome=applied')).toEqual([succeeded, reported]);
  expect(await idsOf('/deliveries?eventType=delivery.failed')).toEqual([dead, reported]);
  expect(await idsOf('/deliveries?eventType=delivery.failed&outcome=applied')).toEqual([reported]);
  expect((await read(hub, companyId, '/deliveries?outcome=gone')).statusCode).toBe(400);
  expect((await read(hub, companyId, '/stats')).json()).toMatchObject({
    deliveries: {
      total: 3,
      byStatus: { success: 1, failed: 2 },
      byOutcome: { applied: 2, superseded: 0, waiting: 0, dead: 1 },
      byPartner: { benevity: { success: 1, failed: 2 } },
    },
  });
});

test('the 401 that a partner got is found by its request id, and refusals by their reason', async () => {
  const requestId = await refuse('asked about');
  const other = await refuse('not asked about');
  const [receipt] = await list(`/receipts?requestId=${requestId}`);
  expect(receipt).toMatchObject({ requestId, outcome: 'rejected', reason: 'signature_mismatch' });
  expect(await list(`/receipts?requestId=${newId()}`)).toEqual([]);
  const mismatches = await list('/receipts?reason=signature_mismatch');
  expect(mismatches.map((row) => row.requestId)).toEqual([other, requestId]);
  expect(await list('/receipts?reason=timestamp_too_old')).toEqual([]);
  expect((await read(hub, companyId, '/receipts?reason=signature')).statusCode).toBe(400);
});

test('a departure from the schema is found wherever in the payload it is', async () => {
  const id = await keepQuarantined(hub, endpoint, signedRequest(endpoint, Buffer.from('{"departs":1}')));
  expect(await idsOf('/receipts?reason=schema_mismatch')).toEqual([id]);
});

test('the latency of a refused request ends with its answer, not when there was time to store it', async () => {
  const startedAtMs = performance.now();
  const answer = await sendSigned(hub, endpoint, eventOf('benevity', 'measured').body, { secret: 'another secret' });
  const answeredWithinMs = performance.now() - startedAtMs;
  const { requestId } = answer.json<{ requestId: string }>();
  const latency = async () => (await list(`/receipts?requestId=${requestId}`)).map(({ latencyMs }) => latencyMs);
  await expect.poll(latency).toHaveLength(1);
  expect((await latency())[0]).toBeLessThanOrEqual(answeredWithinMs);
});
