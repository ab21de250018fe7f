import { newId } from '@impact-hub/core';
import { describe, expect, test } from 'vitest';
import { payload, useStage } from '../test-outbound.ts';

const stage = await useStage();
const companyId = await stage.hub.addCompany();

const post = (body: object, path = '/deliveries', as = companyId) => stage.ask(as, 'POST', path, body);
type Problem = { code: string; errors?: { pointer: string }[] };

describe('a delivery', () => {
  test('is answered 202 with its id, which is its transaction id when none is given', async () => {
    const connectionId = await stage.connect(companyId, 'goodera-key');
    const answer = await post({ connectionId, payload });
    expect(answer.statusCode).toBe(202);
    const made = answer.json<{ id: string }>();
    expect(made).toMatchObject({
      direction: 'outbound',
      partner: 'goodera',
      status: 'pending',
      outcome: 'waiting',
      correlationId: made.id,
    });
    expect((await stage.ask(companyId, 'GET', '/deliveries?direction=outbound')).body).toContain(made.id);
  });

  test('may name the partner instead of its one active connection', async () => {
    const owner = await stage.hub.addCompany();
    expect((await post({ partner: 'benevity', payload }, '/deliveries', owner)).json<Problem>().errors).toMatchObject([
      { pointer: '/body/partner', detail: 'There are 0 active connections to it; give connectionId.' },
    ]);
    const connectionId = await stage.connect(owner, 'benevity');
    const id = (await post({ partner: 'benevity', payload }, '/deliveries', owner)).json<{ id: string }>().id;
    expect(await stage.detail(owner, id)).toMatchObject({ sending: { connectionId } });
    await stage.connect(owner, 'benevity-bearer');
    expect((await post({ partner: 'benevity', payload }, '/deliveries', owner)).statusCode).toBe(400);
  });

  test('has a transaction id that no other of the connection has', async () => {
    const [first, second] = [await stage.connect(companyId, 'goodera'), await stage.connect(companyId, 'goodera')];
    const transactionId = stage.newTransactionId();
    const answers = await Promise.all(
      [first, first, first, second].map((connectionId) => post({ connectionId, transactionId, payload })),
    );
    expect(answers.map(({ statusCode }) => statusCode).toSorted()).toEqual([202, 202, 409, 409]);
    expect(answers.find(({ statusCode }) => statusCode === 409)?.json<Problem>().code).toBe(
      'impact_in.transaction_conflict',
    );
  });

  test.each([
    ['no measure', { ...payload, hours: undefined }, '/body/payload'],
    ['an amount of no currency', { ...payload, amount: 5 }, '/body/payload/currency'],
    ['negative hours', { ...payload, hours: -1 }, '/body/payload/hours'],
    ['no time', { ...payload, occurredAt: 'yesterday' }, '/body/payload/occurredAt'],
    ['an unknown field', { ...payload, extra: 1 }, '/body/payload/extra'],
    ['a control character', { ...payload, activity: 'a\u0000b' }, '/body/payload/activity'],
  ])('is refused with %s', async (_what, given, pointer) => {
    const connectionId = await stage.connect(companyId, 'goodera');
    const answer = await post({ connectionId, payload: given });
    expect([answer.statusCode, answer.json<Problem>().errors?.map((error) => error.pointer)]).toEqual([400, [pointer]]);
  });

  test('is sent again by a replay when it has failed, under the same key', async () => {
    const connectionId = await stage.connect(companyId, 'benevity');
    await stage.sendAll();
    const id = await stage.send(companyId, connectionId);
    stage.partner.inject('badRequest400');
    await stage.sendAll();
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'failed' });
    const { restartSending } = await import('../restart-sending.ts');
    await stage.hub.db.company(companyId, (tx) => restartSending(tx, [id]));
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'pending', outcome: 'waiting' });
    await stage.sendAll();
    const found = await stage.detail(companyId, id);
    expect(found).toMatchObject({ status: 'success', attempts: 2 });
    expect(stage.partner.records().filter(({ idempotencyKey }) => idempotencyKey === id)).toHaveLength(1);
  });
});

describe('several deliveries', () => {
  const batch = (connectionId: string, count: number, activity = 'Reading') =>
    Array.from({ length: count }, (_, n) => ({ connectionId, payload: { ...payload, activity: `${activity} ${n}` } }));
  const sent = async (deliveries: object[]) =>
    (await post({ deliveries }, '/deliveries/batch')).json<{ data: { id: string }[] }>().data.map(({ id }) => id);

  test('are taken all or none', async () => {
    const connectionId = await stage.connect(companyId, 'goodera-key');
    const before = await stage.hub.owner`select count(*) from impact_in_outbound`;
    const wrong = [...batch(connectionId, 3), { connectionId: newId(), payload }];
    expect((await post({ deliveries: wrong }, '/deliveries/batch')).statusCode).toBe(404);
    const twice = batch(connectionId, 2).map((delivery) => ({ ...delivery, transactionId: 'twice' }));
    expect((await post({ deliveries: twice }, '/deliveries/batch')).statusCode).toBe(409);
    expect((await post({ deliveries: batch(connectionId, 101) }, '/deliveries/batch')).statusCode).toBe(400);
    expect(await stage.hub.owner`select count(*) from impact_in_outbound`).toEqual(before);
  });

  test('go out in calls of at most 100, each with an outcome of its own', async () => {
    const connectionId = await stage.connect(companyId, 'goodera-key');
    const good = [...(await sent(batch(connectionId, 100))), ...(await sent(batch(connectionId, 29)))];
    const [refused = ''] = await sent(batch(connectionId, 1, '[refused]'));
    const before = stage.partner.calls().length;
    await stage.sendAll();
    const calls = stage.partner.calls().slice(before);
    expect(calls.map(({ path }) => path)).toEqual(['/v1/impact-data/batch', '/v1/impact-data/batch']);
    const records = stage.partner.records().map(({ idempotencyKey }) => idempotencyKey);
    for (const id of good) expect(records.filter((key) => key === id)).toHaveLength(1);
    for (const id of good.slice(0, 3))
      expect(await stage.detail(companyId, id)).toMatchObject({ status: 'success', attempts: 1 });
    const found = await stage.detail(companyId, refused);
    expect(found).toMatchObject({
      status: 'failed',
      outcome: 'dead',
      lastError: 'HTTP 422: the activity is not known',
    });
    expect(found.attemptLog[0]?.exchange?.request.body).not.toContain('Reading');
  });

  test('that are refused together are sent alone, so that one does not fail its neighbours', async () => {
    const connectionId = await stage.connect(companyId, 'goodera-key');
    const good = await sent(batch(connectionId, 4));
    const [poison = ''] = await sent(batch(connectionId, 1, '[poison] [refused]'));
    await stage.sendAll();
    for (const id of good)
      expect(await stage.detail(companyId, id)).toMatchObject({
        status: 'success',
        attemptLog: [{ result: 'failure', errorClass: 'batch_refused', httpStatus: 400 }, { result: 'success' }],
      });
    expect(await stage.detail(companyId, poison)).toMatchObject({ status: 'failed', outcome: 'dead' });
  });

  test('whose answer is lost have one effect each', async () => {
    const connectionId = await stage.connect(companyId, 'goodera-key');
    const ids = await sent(batch(connectionId, 20));
    stage.partner.inject('resetAfterCommit');
    await stage.sendAll();
    const records = stage.partner.records().map(({ idempotencyKey }) => idempotencyKey);
    for (const id of ids) expect(records.filter((key) => key === id)).toHaveLength(1);
    expect(await stage.detail(companyId, ids[7] ?? '')).toMatchObject({
      status: 'success',
      attemptLog: [{ result: 'unknown' }, { result: 'success' }],
    });
  });
});

test('a delivery that reached nobody says why', async () => {
  const connectionId = await stage.connect(companyId, 'goodera-key', { baseUrl: 'http://127.0.0.1:1' });
  const id = await stage.send(companyId, connectionId);
  await stage.sendDue();
  expect(await stage.detail(companyId, id)).toMatchObject({
    status: 'retrying',
    lastError: 'the partner could not be reached (ECONNREFUSED)',
  });
  await stage.ask(companyId, 'DELETE', `/connections/${connectionId}`);
});
