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
type Caller = () => { companyId: string; key: Record<string, string> };
type Samples = Record<string, () => Promise<Sample>>;

/** One call of each route of connections and outbound deliveries that succeeds and changes something. */
const outboundSamples = (testHub: TestHub, caller: Caller): Samples => {
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
const receiptSamples = (testHub: TestHub, caller: Caller): Samples => {
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

/** One call of each route about endpoints. */
const endpointSamples = (testHub: TestHub, caller: Caller): Samples => {
  const endpoint = (): Promise<string> => addEndpoint(testHub, caller().companyId);
  return {
    'POST /api/v1/impact-in/endpoints': async () => ({
      headers: caller().key,
      body: { partner: 'benevity', scheme: 'benevity-hmac', name: 'New' },
    }),
    'POST /api/v1/impact-in/endpoints/:id/pause': async () => ({
      headers: caller().key,
      params: { id: await endpoint() },
    }),
    'PATCH /api/v1/impact-in/endpoints/:id': async () => ({
      headers: caller().key,
      params: { id: await endpoint() },
      body: { name: 'Renamed' },
    }),
    'DELETE /api/v1/impact-in/endpoints/:id': async () => ({ headers: caller().key, params: { id: await endpoint() } }),
    'POST /api/v1/impact-in/endpoints/:id/rotate-secret': async () => ({
      headers: caller().key,
      params: { id: await endpoint() },
      body: {},
    }),
    'POST /api/v1/impact-in/endpoints/:id/secrets/:secretId/retire': async () => {
      const id = await endpoint();
      const path = `/api/v1/impact-in/endpoints/${id}`;
      const { secrets } = (await testHub.call('GET', path, { headers: caller().key })).json<{
        secrets: { id: string }[];
      }>();
      await testHub.call('POST', `${path}/rotate-secret`, {
        headers: { ...caller().key, 'content-type': 'application/json' },
        body: '{}',
      });
      return { headers: caller().key, params: { id, secretId: secrets[0]?.id ?? '' } };
    },
    'POST /api/v1/impact-in/endpoints/:id/resume': async () => {
      const id = await endpoint();
      await testHub.call('POST', `/api/v1/impact-in/endpoints/${id}/pause`, { headers: caller().key });
      return { headers: caller().key, params: { id } };
    },
  };
};

/** One call of each route about replays. */
const replaySamples = (testHub: TestHub, caller: Caller): Samples => {
  const delivery = async (): Promise<string> => {
    const id = newId();
    await testHub.database.owner`
      insert into impact_in_delivery (id, company_id, direction, partner, event_type, status, outcome, received_at)
      values (${id}, ${caller().companyId}, 'inbound', 'benevity', 'delivery.success', 'failed', 'dead', now())`;
    return id;
  };
  const replay = async (): Promise<Sample> => {
    const answer = await testHub.call('POST', '/api/v1/impact-in/deliveries/bulk-replay', {
      headers: { ...caller().key, 'content-type': 'application/json' },
      body: JSON.stringify({ ids: [await delivery()] }),
    });
    return { headers: caller().key, params: { id: answer.json<{ id: string }>().id } };
  };

  return {
    'POST /api/v1/impact-in/deliveries/:id/replay': async () => ({
      headers: caller().key,
      params: { id: await delivery() },
      body: {},
    }),
    'POST /api/v1/impact-in/deliveries/bulk-replay': async () => ({
      headers: caller().key,
      body: { ids: [await delivery()] },
    }),
    'POST /api/v1/impact-in/deliveries/retry-all-failed': async () => ({ headers: caller().key, body: {} }),
    'POST /api/v1/impact-in/replays/:id/pause': replay,
    'POST /api/v1/impact-in/replays/:id/resume': async () => {
      const sample = await replay();
      await testHub.call('POST', `/api/v1/impact-in/replays/${sample.params?.['id']}/pause`, { headers: caller().key });
      return sample;
    },
    'POST /api/v1/impact-in/replays/:id/cancel': replay,
  };
};

/** One call of each route of this domain that succeeds and changes something. */
export const impactInSamples = (testHub: TestHub, caller: Caller): Samples => ({
  ...endpointSamples(testHub, caller),
  ...outboundSamples(testHub, caller),
  ...receiptSamples(testHub, caller),
  ...replaySamples(testHub, caller),
});
