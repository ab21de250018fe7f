import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PartnerEvent } from '../partners/partner.ts';
import { testConnection } from './connections/test-connection.ts';
import { impactInConnection } from './tables.ts';
import { createConfirmEvent } from './confirm-event.ts';
import { useStage } from './test-outbound.ts';

const stage = await useStage({ hub: { outbound: { http: { timeoutMs: 20_000 } } } });
const silent = createServer(() => undefined);
beforeAll(() => new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve)));
afterAll(() => {
  silent.closeAllConnections();
  silent.close();
});

const event = (correlationId: string | null, status: PartnerEvent['status'] = 'success'): PartnerEvent => ({
  eventId: null,
  eventType: 'data.processed',
  correlationId,
  entityKey: null,
  status,
  occurredAt: new Date(),
});

test.each(['goodera', 'goodera-key'] as const)(
  'an unsigned event is true when the record of %s says the same',
  async (api) => {
    const companyId = await stage.hub.addCompany();
    const ask = (about: PartnerEvent) => stage.deps.confirmEvent({ companyId, partner: 'goodera', event: about });
    expect(await ask(event('anything'))).toEqual({ outcome: 'no_connection' });
    const connectionId = await stage.connect(companyId, api);
    const transactionId = stage.newTransactionId();
    await stage.send(companyId, connectionId, { transactionId });
    await stage.sendAll();
    expect(await ask(event(transactionId))).toEqual({ outcome: 'confirmed' });
    expect(await ask(event(transactionId, 'pending'))).toEqual({ outcome: 'confirmed' });
    expect(await ask(event(transactionId, 'failed'))).toMatchObject({ outcome: 'denied' });
    expect(await ask(event('never-sent'))).toMatchObject({ outcome: 'denied' });
    expect(await ask(event('../v1/other?x=1'))).toMatchObject({ outcome: 'denied' });
    expect(await ask(event(null))).toMatchObject({ outcome: 'denied' });
    const calls = stage.partner.calls().length;
    for (const notAnId of ['.', '..', '\ud800'])
      expect(await ask(event(notAnId))).toEqual({ outcome: 'denied', reason: 'the event names no record' });
    expect(stage.partner.calls()).toHaveLength(calls);
  },
);

test('an event whose partner does not answer is asked about later', async () => {
  const companyId = await stage.hub.addCompany();
  await stage.connect(companyId, 'goodera', { baseUrl: 'http://127.0.0.1:1' });
  const answer = await stage.deps.confirmEvent({ companyId, partner: 'goodera', event: event('x') });
  expect(answer).toEqual({ outcome: 'unreachable', reason: 'the partner could not be reached' });
});

test.each(['goodera', 'goodera-key'] as const)(
  'no partner that takes its time with %s is waited for when a record is read or the connection tried',
  async (api) => {
    const companyId = await stage.hub.addCompany();
    const { port } = silent.address() as AddressInfo;
    await stage.connect(companyId, api, { baseUrl: `http://127.0.0.1:${port}` });
    const answer = await createConfirmEvent(stage.deps, 100)({ companyId, partner: 'goodera', event: event('x') });
    expect(answer).toEqual({ outcome: 'unreachable', reason: 'no answer in time' });
    const [row] = await stage.hub.db.company(companyId, (tx) =>
      tx.orm.select().from(impactInConnection).where(eq(impactInConnection.companyId, companyId)),
    );
    const tested = await testConnection(stage.deps, row!, 100);
    expect(tested).toMatchObject({ reachable: false, detail: 'no answer in time' });
  },
);
