import { describe, expect, test } from 'vitest';
import { findDelivery } from '../../deliveries/delivery-repository.ts';
import { findSending } from '../deliveries/attempt-log.ts';
import { partnerApiNames } from '../partner-apis.ts';
import { payload, useStage } from '../test-outbound.ts';

const stage = await useStage();
const companyId = await stage.hub.addCompany();

const effectsOf = (id: string) => stage.partner.records().filter(({ idempotencyKey }) => idempotencyKey === id);

describe.each(partnerApiNames)('the API %s', (api) => {
  test('takes an event, whose delivery tells what the partner calls it', async () => {
    const connectionId = await stage.connect(companyId, api);
    const id = await stage.send(companyId, connectionId, { transactionId: stage.newTransactionId() });
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'pending', outcome: 'waiting', attemptLog: [] });
    await stage.sendAll();
    const [record, ...more] = effectsOf(id);
    expect(more).toEqual([]);
    expect(record?.api).toBe(api);
    expect(Object.values(record?.fields ?? {}).map(String)).toEqual(
      expect.arrayContaining([
        'Reading with children',
        '2.5',
        'person-4711',
        'With Ada & <Grace>',
        '2026-03-01T12:00:00.000Z',
      ]),
    );
    const found = await stage.detail(companyId, id);
    expect(found).toMatchObject({
      status: api === 'workday-rest' ? 'pending' : 'success',
      outcome: 'applied',
      attempts: 1,
      sending: { connectionId, partnerTransactionId: record?.id },
      attemptLog: [{ number: 1, result: 'success', errorClass: null, exchange: { request: { method: 'POST' } } }],
    });
  });

  test('that keeps the event and resets the connection has one effect, and the log tells the truth', async () => {
    const connectionId = await stage.connect(companyId, api);
    const id = await stage.send(companyId, connectionId);
    stage.partner.inject('resetAfterCommit');
    await stage.hurry();
    await stage.sendDue();
    expect(effectsOf(id)).toHaveLength(1);
    const open = await stage.detail(companyId, id);
    expect(open).toMatchObject({ status: 'retrying', attempts: 1 });
    expect(open.attemptLog).toMatchObject([
      { number: 1, result: 'unknown', errorClass: 'connection_lost', httpStatus: null, exchange: { response: null } },
    ]);
    expect(open.attemptLog[0]?.nextAttemptAt).not.toBeNull();
    await stage.sendAll();
    expect(effectsOf(id)).toHaveLength(1);
    const closed = await stage.detail(companyId, id);
    expect(closed).toMatchObject({
      status: 'success',
      attempts: 2,
      sending: { partnerTransactionId: effectsOf(id)[0]?.id },
    });
    expect(closed.attemptLog.map(({ result }) => result)).toEqual(['unknown', 'success']);
    expect(closed.attemptLog[1]?.exchange?.response?.body).toContain('uplicate');
  });

  test('never sees secrets or personal data in what is kept and shown of a call', async () => {
    const connectionId = await stage.connect(companyId, api);
    const id = await stage.send(companyId, connectionId);
    await stage.sendAll();
    const shown = JSON.stringify(await stage.detail(companyId, id));
    for (const secret of [
      ...Object.values(stage.partner.credentials),
      payload.participantId,
      'Grace',
      'Bearer',
      'Authorization',
    ])
      expect(shown, secret).not.toContain(secret);
    expect(shown).toContain('Reading with children');
    const [stored] = await stage.hub.owner<{ text: string }[]>`
      select encode(sealed, 'escape') || (select string_agg(encode(sealed, 'escape'), '') from impact_in_outbound_attempt where delivery_id = ${id}) as text
      from impact_in_outbound where delivery_id = ${id}`;
    expect(stored?.text).not.toContain('Reading');
  });
});

describe('an attempt', () => {
  test('that nobody noted the end of is unknown, and made again with the same key', async () => {
    const connectionId = await stage.connect(companyId, 'goodera');
    const id = await stage.send(companyId, connectionId);
    const { claimCall } = await import('./claim-call.ts');
    const claim = await stage.hub.db.company(companyId, (tx) => claimCall(tx, connectionId));
    expect(claim?.deliveries).toMatchObject([{ deliveryId: id, attempt: 1 }]);
    expect((await stage.detail(companyId, id)).attemptLog).toMatchObject([{ result: 'started', endedAt: null }]);
    // The process that claimed it ends here.
    await stage.expireLeases();
    expect((await stage.detail(companyId, id)).attemptLog).toMatchObject([{ result: 'unknown', endedAt: null }]);
    await stage.sendAll();
    expect((await stage.detail(companyId, id)).attemptLog).toMatchObject([
      { number: 1, result: 'unknown', errorClass: 'lost', endedAt: null },
      { number: 2, result: 'success' },
    ]);
    expect(effectsOf(id)).toHaveLength(1);
  });

  test('that begins and ends while its delivery is read is not seen in half', async () => {
    const connectionId = await stage.connect(companyId, 'benevity');
    const id = await stage.send(companyId, connectionId);
    await stage.hub.db.snapshot(companyId, async (tx) => {
      expect(await findDelivery(tx, id)).toMatchObject({ attempts: 0, status: 'pending' });
      await stage.sendAll();
      expect(await findSending(tx, stage.hub.breakers, id, Date.now())).toMatchObject({
        sending: { partnerTransactionId: null },
        attempts: [],
      });
    });
    expect(await stage.detail(companyId, id)).toMatchObject({ attempts: 1, attemptLog: [{ result: 'success' }] });
  });

  test('is not made by two processes at once', async () => {
    const connectionId = await stage.connect(companyId, 'benevity');
    const ids = [];
    for (let n = 0; n < 8; n += 1) ids.push(await stage.send(companyId, connectionId));
    await Promise.all([stage.sendAll(), stage.sendAll(), stage.sendAll()]);
    await stage.sendAll();
    for (const id of ids) {
      expect(effectsOf(id)).toHaveLength(1);
      expect(stage.partner.calls().filter(({ headers }) => headers['x-idempotency-key'] === id)).toHaveLength(1);
    }
  });

  test.each([
    ['error500', 'failure', 'partner_error', 500],
    ['unavailable503', 'failure', 'partner_error', 503],
    ['tooMany429', 'failure', 'rate_limited', 429],
    ['hangAfterCommit', 'unknown', 'timeout', null],
    ['slowBody', 'unknown', 'timeout', 200],
    ['garbageAfterCommit', 'unknown', 'unreadable_answer', 200],
    ['hugeAfterCommit', 'unknown', 'answer_too_large', 200],
    ['resetBeforeCommit', 'unknown', 'connection_lost', null],
  ] as const)(
    'after %s is noted as %s and made again until it succeeds, once',
    async (fault, result, errorClass, httpStatus) => {
      const connectionId = await stage.connect(companyId, 'goodera-key');
      const id = await stage.send(companyId, connectionId);
      stage.partner.inject(fault);
      await stage.sendAll();
      const found = await stage.detail(companyId, id);
      expect(found.attemptLog).toMatchObject([{ result, errorClass, httpStatus }, { result: 'success' }]);
      expect(found.status).toBe('success');
      expect(effectsOf(id)).toHaveLength(1);
      stage.hub.breakers.reset();
    },
  );

  test.each([
    ['badRequest400', 'refused', 400, 'HTTP 400: the activity is unknown'],
    ['redirect307', 'redirected', 307, 'the partner answered 307'],
  ] as const)('after %s is the last one', async (fault, errorClass, httpStatus, error) => {
    const connectionId = await stage.connect(companyId, 'benevity');
    const id = await stage.send(companyId, connectionId);
    stage.partner.inject(fault);
    await stage.sendAll();
    const found = await stage.detail(companyId, id);
    expect(found).toMatchObject({ status: 'failed', outcome: 'dead', lastError: error });
    expect(found.attemptLog).toMatchObject([{ result: 'failure', errorClass, httpStatus, nextAttemptAt: null }]);
    expect(effectsOf(id)).toEqual([]);
    const events = await stage.hub
      .owner`select 1 from audit_event where type = 'impact_in.delivery.failed' and resource_id = ${id}`;
    expect(events).toHaveLength(1);
  });

  test('whose end the database refuses for what the partner wrote ends without it', async () => {
    await stage.hub.owner`alter table impact_in_outbound_attempt
      add constraint refused check (error is distinct from 'HTTP 400: the activity is unknown') not valid`;
    const connectionId = await stage.connect(companyId, 'benevity');
    const id = await stage.send(companyId, connectionId);
    stage.partner.inject('badRequest400');
    await stage.sendAll();
    expect(await stage.detail(companyId, id)).toMatchObject({
      status: 'failed',
      attemptLog: [{ result: 'failure', errorClass: 'refused', httpStatus: null, exchange: null }],
    });
    await stage.hub.owner`alter table impact_in_outbound_attempt drop constraint refused`;
  });

  test('that never comes to an end is given up after twenty', async () => {
    const connectionId = await stage.connect(companyId, 'benevity');
    const id = await stage.send(companyId, connectionId);
    await stage.hub.owner`update impact_in_outbound set tries = 20 where delivery_id = ${id}`;
    await stage.sendAll();
    expect(await stage.detail(companyId, id)).toMatchObject({
      status: 'failed',
      attemptLog: [{ result: 'unknown', errorClass: 'lost' }],
    });
    expect(effectsOf(id)).toEqual([]);
  });

  test('is made nine times at most', async () => {
    const connectionId = await stage.connect(companyId, 'goodera-key');
    const id = await stage.send(companyId, connectionId);
    stage.partner.inject(...Array<'error500'>(9).fill('error500'));
    for (let round = 0; round < 20; round += 1) {
      stage.hub.breakers.reset();
      await stage.hurry();
      await stage.sendDue();
    }
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'failed', outcome: 'dead', attempts: 9 });
    stage.hub.breakers.reset();
  });
});

describe('tokens', () => {
  test('are used until they end, and once more asked for when one is refused', async () => {
    const connectionId = await stage.connect(companyId, 'goodera');
    const before = stage.partner.tokensIssued();
    const first = await stage.send(companyId, connectionId);
    await stage.sendAll();
    await stage.send(companyId, connectionId);
    await stage.sendAll();
    expect(stage.partner.tokensIssued()).toBe(before + 1);
    stage.partner.inject('expiredToken401');
    const id = await stage.send(companyId, connectionId);
    await stage.sendAll();
    expect(stage.partner.tokensIssued()).toBe(before + 2);
    expect((await stage.detail(companyId, id)).attemptLog).toMatchObject([{ number: 1, result: 'success' }]);
    expect([...effectsOf(first), ...effectsOf(id)]).toHaveLength(2);
  });

  test('are asked for once by all who need one at the same time', async () => {
    const connectionId = await stage.connect(companyId, 'workday-rest');
    const before = stage.partner.tokensIssued();
    for (let n = 0; n < 6; n += 1) await stage.send(companyId, connectionId);
    await Promise.all([stage.sendAll(), stage.sendAll(), stage.sendAll()]);
    expect(stage.partner.tokensIssued()).toBe(before + 1);
  });

  test('that are not given keep the delivery, and say why', async () => {
    const credentials = { clientId: 'stand-in-client', clientSecret: 'wrong-secret' };
    const connectionId = await stage.connect(companyId, 'benevity-bearer', { credentials });
    const id = await stage.send(companyId, connectionId);
    await stage.sendDue();
    const found = await stage.detail(companyId, id);
    expect(found).toMatchObject({ status: 'retrying', lastError: 'no access token: invalid_client' });
    expect(found.attemptLog).toMatchObject([{ result: 'failure', errorClass: 'credentials', httpStatus: 401 }]);
    const { credentials: right } = stage.connectionBody('benevity-bearer');
    const changed = await stage.ask(companyId, 'PATCH', `/connections/${connectionId}`, { credentials: right });
    expect(changed.statusCode).toBe(200);
    await stage.sendAll();
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'success' });
  });
});

describe('an open circuit', () => {
  test('costs no attempt', async () => {
    const connectionId = await stage.connect(companyId, 'benevity');
    const id = await stage.send(companyId, connectionId);
    stage.hub.breakers.get(`partner:benevity:${connectionId}`).adopt({ state: 'open', remainingMs: 60_000 });
    await stage.hurry();
    expect(await stage.sendDue()).toBe(0);
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'pending', attempts: 0, attemptLog: [] });
    const [row] = await stage.hub.owner<{ wait: number }[]>`
      select extract(epoch from next_call_at - now())::float8 as wait from impact_in_connection where id = ${connectionId}`;
    expect(row?.wait).toBeGreaterThan(50);
    stage.hub.breakers.reset();
    await stage.sendAll();
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'success', attempts: 1 });
  });

  test('of one company keeps no other from the same partner, and ends with what it was opened for', async () => {
    const theirs = await stage.hub.addCompany();
    const troubled = await stage.connect(theirs, 'benevity');
    for (let n = 0; n < 5; n += 1) await stage.send(theirs, troubled);
    stage.partner.inject(...Array<'error500'>(5).fill('error500'));
    await stage.sendDue();
    const stateOf = (id: string) => stage.hub.breakers.list().find(({ name }) => name.endsWith(id))?.state;
    expect(stateOf(troubled)).toBe('open');
    const ours = await stage.connect(companyId, 'benevity');
    const id = await stage.send(companyId, ours);
    await stage.sendDue();
    expect(await stage.detail(companyId, id)).toMatchObject({ status: 'success', attempts: 1 });
    expect((await stage.ask(theirs, 'PATCH', `/connections/${troubled}`, { name: 'mended' })).statusCode).toBe(200);
    expect(stateOf(troubled)).toBeUndefined();
    await stage.sendAll();
    expect(stateOf(troubled)).toBe('closed');
    expect((await stage.ask(theirs, 'DELETE', `/connections/${troubled}`)).statusCode).toBe(204);
    expect(stateOf(troubled)).toBeUndefined();
  });
});

test('the records of one company are nobody else’s', async () => {
  const connectionId = await stage.connect(companyId, 'benevity');
  const other = await stage.hub.addCompany();
  const id = await stage.send(companyId, connectionId);
  expect((await stage.ask(other, 'GET', `/deliveries/${id}`)).statusCode).toBe(404);
  expect((await stage.ask(other, 'GET', `/connections/${connectionId}`)).statusCode).toBe(404);
  const answer = await stage.ask(other, 'POST', '/deliveries', { connectionId, payload });
  expect(answer.statusCode).toBe(404);
});
