import { afterEach, describe, expect, test } from 'vitest';
import { inputOf, requestFor, send } from '../inbox/test-schemes.ts';
import { createTestHub, eventOf, useTestHub } from '../test-hub.ts';
import { askAgain } from './ask-again.ts';
import type { EventConfirmation, EventQuestion } from './confirm-event.ts';

const partner = { answer: { outcome: 'confirmed' } as EventConfirmation, asked: [] as EventQuestion[] };
const hub = await useTestHub({
  confirmEvent: (question) => {
    partner.asked.push(question);
    return Promise.resolve(partner.answer);
  },
});
const companyId = await hub.addCompany();
const endpoint = await hub.addEndpoint(companyId, inputOf['goodera-unsigned']);
afterEach(() => partner.asked.splice(0));

const receive = async (seed: string): Promise<string> => {
  const answer = await send(hub, await requestFor(hub, endpoint, seed));
  expect(answer.statusCode, answer.body).toBe(202);
  return answer.json<{ receiptId: string }>().receiptId;
};
const deliveries = (id: string) => hub.owner`select 1 from impact_in_delivery where id = ${id}`;
const confirmation = async (id: string) =>
  (await hub.owner`select state, reason, attempts from impact_in_confirmation where receipt_id = ${id}`)[0];
const makeDue = (id: string) =>
  hub.owner`update impact_in_confirmation set updated_at = now() - interval '1 hour' where receipt_id = ${id}`;

describe('an event that nobody signed', () => {
  test('is processed once the partner has confirmed it, and not before', async () => {
    partner.answer = { outcome: 'confirmed' };
    const id = await receive('confirmed');
    const [stored] = await hub.owner`select outcome, reason from impact_in_receipt where id = ${id}`;
    expect(stored).toEqual({ outcome: 'quarantined', reason: 'awaiting_confirmation' });
    expect(await deliveries(id)).toHaveLength(0);
    await hub.runJobs();
    expect(partner.asked).toHaveLength(1);
    expect(partner.asked[0]).toMatchObject({ companyId, partner: 'goodera', event: { eventId: expect.any(String) } });
    await hub.runJobs();
    expect(await deliveries(id)).toHaveLength(1);
    expect(await confirmation(id)).toMatchObject({ state: 'confirmed', attempts: 1 });
    const audited = await hub.owner`select 1 from audit_event where resource_id = ${id} and type like '%confirmed'`;
    expect(audited).toHaveLength(1);
  });

  test('has no effect when the partner still denies it after an hour, now or later', async () => {
    partner.answer = { outcome: 'denied', reason: 'no such transaction' };
    const id = await receive('denied');
    await hub.runJobs();
    const reason = 'denied: no such transaction';
    expect(await confirmation(id)).toMatchObject({ state: 'waiting', reason });
    await hub.owner`update impact_in_confirmation set created_at = now() - interval '1 hour' where receipt_id = ${id}`;
    await makeDue(id);
    await askAgain(hub.db.systemSql);
    await hub.runJobs();
    expect(await confirmation(id)).toMatchObject({ state: 'denied', reason });
    partner.answer = { outcome: 'confirmed' };
    await makeDue(id);
    await askAgain(hub.db.systemSql);
    await hub.runJobs();
    expect(await deliveries(id)).toHaveLength(0);
  });

  test.each<[EventConfirmation, string]>([
    [{ outcome: 'no_connection' }, 'no_connection'],
    [{ outcome: 'unreachable', reason: 'timeout' }, 'unreachable: timeout'],
    [{ outcome: 'denied', reason: 'not found' }, 'denied: not found'],
  ])('waits for an answer, and is asked about again: %j', async (answer, reason) => {
    partner.answer = answer;
    const id = await receive(reason);
    await hub.runJobs();
    expect(await confirmation(id)).toMatchObject({ state: 'waiting', reason, attempts: 1 });
    await askAgain(hub.db.systemSql);
    await hub.runJobs();
    expect(await confirmation(id)).toMatchObject({ attempts: 1 });
    partner.answer = { outcome: 'confirmed' };
    await makeDue(id);
    await Promise.all([askAgain(hub.db.systemSql), askAgain(hub.db.systemSql)]);
    await hub.runJobs();
    await hub.runJobs();
    expect(await confirmation(id)).toMatchObject({ state: 'confirmed', attempts: 2 });
    expect(await deliveries(id)).toHaveLength(1);
  });

  test('that is sent again is not asked about again', async () => {
    partner.answer = { outcome: 'confirmed' };
    const request = await requestFor(hub, endpoint, 'twice');
    expect((await send(hub, request)).statusCode).toBe(202);
    expect((await send(hub, request)).json()).toMatchObject({ duplicate: true });
    await hub.runJobs();
    expect(partner.asked).toHaveLength(1);
  });

  test('of which the hub can make nothing stays in quarantine and is asked about by nobody', async () => {
    const body = Buffer.from(JSON.stringify({ ...eventOf('goodera', 'unknown').payload, eventType: 'nobody.knows' }));
    const answer = await send(hub, await requestFor(hub, endpoint, 'unknown', body));
    expect(answer.statusCode).toBe(202);
    await hub.runJobs();
    expect(partner.asked).toHaveLength(0);
  });
});

test('without anybody to ask, an unsigned event waits and says why', async () => {
  const alone = await createTestHub();
  const company = await alone.addCompany();
  const lonely = await alone.addEndpoint(company, inputOf['goodera-unsigned']);
  expect((await send(alone, await requestFor(alone, lonely, 'alone'))).statusCode).toBe(202);
  await alone.runJobs();
  const rows = await alone.owner`select state, reason from impact_in_confirmation`;
  expect([...rows]).toEqual([{ state: 'waiting', reason: 'no_connection' }]);
  await alone.close();
});

test('a company with very many waiting events does not keep the event of another one waiting', async () => {
  const [many, few] = [await hub.addCompany(), await hub.addCompany()];
  const wait = (company: string, count: number, hoursAgo: number) => hub.owner`
    insert into impact_in_confirmation (receipt_id, company_id, endpoint_id, partner, state, updated_at)
    select gen_random_uuid(), ${company}, ${endpoint.id}, 'goodera', 'waiting', now() - make_interval(hours => ${hoursAgo})
    from generate_series(1, ${count}::int)`;
  await wait(many, 700, 2);
  await wait(few, 1, 1);
  await askAgain(hub.db.systemSql);
  const asked = (company: string) => hub.owner`select 1 from job where company_id = ${company}`;
  expect(await asked(few)).toHaveLength(1);
  expect((await asked(many)).length).toBeGreaterThan(400);
});
