import { newId } from '@impact-hub/core';
import { createConnection, createEndpoint } from '@impact-hub/impact-in';
import type { TestHub } from './test-hub.ts';

const by = { actor: { kind: 'system', id: 'test' } } as const;
const goodera = {
  api: 'goodera-key',
  name: 'Goodera',
  baseUrl: 'https://api.example.org',
  credentials: { apiKey: 'key' },
} as const;
const payload = { activity: 'Reading', hours: 1, occurredAt: '2026-03-01T12:00:00Z' };

/** A connection of the company to a partner that is never called, as no sender runs here. */
const addConnection = async ({ hub }: TestHub, companyId: string): Promise<string> =>
  (await hub.db.company(companyId, (tx) => createConnection(tx, hub.impactIn.deps, by, goodera))).id;

const addEndpoint = async ({ hub }: TestHub, companyId: string): Promise<string> => {
  const input = { partner: 'benevity', scheme: 'benevity-hmac', name: 'Benevity' } as const;
  return (await hub.db.company(companyId, (tx) => createEndpoint(tx, hub.impactIn.deps, by, input))).endpoint.id;
};

/** Gives the company one thing of each kind this domain has. @returns their ids by the path of the thing */
export const addImpactInThings = async (
  testHub: TestHub,
  companyId: string,
  key: string,
): Promise<Record<string, string>> => {
  const { database } = testHub;
  const endpointId = await addEndpoint(testHub, companyId);
  const receiptId = newId();
  await database.owner`
    insert into impact_in_receipt (id, received_at, company_id, endpoint_id, partner, outcome, request_id, body_bytes, latency_ms)
    values (${receiptId}, now(), ${companyId}, ${endpointId}, 'benevity', 'accepted', 'r', 1, 1)`;
  await database.owner`
    insert into impact_in_delivery (id, company_id, direction, partner, endpoint_id, event_type, status, outcome, received_at)
    values (${receiptId}, ${companyId}, 'inbound', 'benevity', ${endpointId}, 'delivery.success', 'success', 'applied', now())`;
  const replay = await testHub.call('POST', '/api/v1/impact-in/deliveries/bulk-replay', {
    key,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ids: [receiptId] }),
  });
  return {
    '/api/v1/impact-in/endpoints/:id': endpointId,
    '/api/v1/impact-in/connections/:id': await addConnection(testHub, companyId),
    '/api/v1/impact-in/deliveries/:id': receiptId,
    '/api/v1/impact-in/receipts/:id': receiptId,
    '/api/v1/impact-in/replays/:id': replay.json<{ id: string }>().id,
  };
};

type Sample = { headers: Record<string, string>; params?: Record<string, string>; body?: object };

/** One call of each route of connections and outbound deliveries that succeeds and changes something. */
export const outboundSamples = (
  testHub: TestHub,
  caller: () => { companyId: string; key: Record<string, string> },
): Record<string, () => Promise<Sample>> => {
  const connection = (): Promise<string> => addConnection(testHub, caller().companyId);
  const sample = (more: Omit<Sample, 'headers'>): Sample => ({ headers: caller().key, ...more });
  return {
    'POST /api/v1/impact-in/connections': () => Promise.resolve(sample({ body: goodera })),
    'PATCH /api/v1/impact-in/connections/:id': async () =>
      sample({ params: { id: await connection() }, body: { name: 'Renamed' } }),
    'DELETE /api/v1/impact-in/connections/:id': async () => sample({ params: { id: await connection() } }),
    'POST /api/v1/impact-in/deliveries': async () => sample({ body: { connectionId: await connection(), payload } }),
    'POST /api/v1/impact-in/deliveries/batch': async () =>
      sample({ body: { deliveries: [{ connectionId: await connection(), payload }] } }),
  };
};

/** One call of each route about receipts. */
export const receiptSamples = (
  testHub: TestHub,
  caller: () => { companyId: string; key: Record<string, string> },
): Record<string, () => Promise<Sample>> => {
  const refusedReceipt = async (): Promise<string> => {
    const id = newId();
    const atMs = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
    await testHub.database.owner`
      insert into impact_in_receipt
        (id, received_at, company_id, endpoint_id, partner, outcome, reason, request_id, body_bytes, latency_ms)
      values (${id}, to_timestamp(${atMs}::float8 / 1000), ${caller().companyId}, ${newId()}, 'benevity', 'rejected',
              'signature_mismatch', 'r', 1, 1)`;
    return id;
  };
  return {
    'POST /api/v1/impact-in/receipts/:id/reverify': async () => ({
      headers: caller().key,
      params: { id: await refusedReceipt() },
    }),
    'POST /api/v1/impact-in/receipts/reverify': async () => ({
      headers: caller().key,
      body: { ids: [await refusedReceipt()] },
    }),
    'PUT /api/v1/impact-in/endpoints/:id/search-fields': async () => ({
      headers: caller().key,
      params: { id: await addEndpoint(testHub, caller().companyId) },
      body: {},
    }),
  };
};
