import { expect, test } from 'vitest';
import type { PartnerEvent } from '../partners/partner.ts';
import { useStage } from './test-outbound.ts';

const stage = await useStage();

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
