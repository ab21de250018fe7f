import { describe, expect, test } from 'vitest';
import { sendCall } from '../sending/send-call.ts';
import { useStage } from '../test-outbound.ts';

const stage = await useStage();
const strict = await useStage({ hub: { allowPrivateAddresses: false } });
const companyId = await stage.hub.addCompany();

type Problem = { code: string; errors?: { pointer: string; detail: string }[] };
const create = (more: object) =>
  stage.ask(companyId, 'POST', '/connections', stage.connectionBody('goodera-key', more));
const pointersOf = (answer: Awaited<ReturnType<typeof create>>): string[] =>
  (answer.json<Problem>().errors ?? []).map(({ pointer }) => pointer);

describe('a connection', () => {
  test('is created, listed, read, changed and deleted, each change audited', async () => {
    const made = await create({ name: 'First' });
    expect(made.statusCode).toBe(201);
    const { id } = made.json<{ id: string }>();
    expect(made.json()).toMatchObject({
      partner: 'goodera',
      api: 'goodera-key',
      name: 'First',
      state: 'active',
      tenant: null,
    });
    const changed = await stage.ask(companyId, 'PATCH', `/connections/${id}`, { name: 'Renamed', state: 'paused' });
    expect(changed.json()).toMatchObject({ name: 'Renamed', state: 'paused' });
    expect((await stage.ask(companyId, 'GET', `/connections/${id}`)).json()).toEqual(changed.json());
    const listed = (await stage.ask(companyId, 'GET', '/connections?partner=goodera')).json<{
      data: { id: string }[];
    }>();
    expect(listed.data.map((one) => one.id)).toContain(id);
    expect((await stage.ask(companyId, 'DELETE', `/connections/${id}`)).statusCode).toBe(204);
    expect((await stage.ask(companyId, 'GET', `/connections/${id}`)).statusCode).toBe(404);
    expect((await stage.ask(companyId, 'DELETE', `/connections/${id}`)).statusCode).toBe(404);
    const events = await stage.hub.owner<{ type: string }[]>`
      select type from audit_event where resource_id = ${id} order by id`;
    expect(events.map(({ type }) => type)).toEqual([
      'impact_in.connection.created',
      'impact_in.connection.changed',
      'impact_in.connection.deleted',
    ]);
  });

  test('keeps its credentials where nobody sees them', async () => {
    const secret = 'a-secret-nobody-sees';
    const made = await create({ credentials: { apiKey: secret } });
    const { id } = made.json<{ id: string }>();
    await stage.ask(companyId, 'PATCH', `/connections/${id}`, { credentials: { apiKey: `${secret}-2` } });
    const answers = [
      made,
      await stage.ask(companyId, 'GET', `/connections/${id}`),
      await stage.ask(companyId, 'GET', '/connections'),
    ];
    for (const answer of answers) expect(answer.body).not.toContain(secret);
    const stored = await stage.hub.owner`
      select (select string_agg(c::text, '') from impact_in_connection c) || (select string_agg(e::text, '') from audit_event e) as text`;
    expect(JSON.stringify(stored)).not.toContain(secret);
    expect(JSON.stringify(stored)).not.toContain(Buffer.from(secret).toString('base64').slice(0, 20));
  });

  test.each([
    ['the address of another protocol', { baseUrl: 'ftp://api.example.org' }, '/body/baseUrl'],
    ['an address with credentials', { baseUrl: 'https://a:b@api.example.org' }, '/body/baseUrl'],
    ['an address with a query', { baseUrl: 'https://api.example.org/?a=b' }, '/body/baseUrl'],
    ['no address', { baseUrl: 'api.example.org' }, '/body/baseUrl'],
    ['a tenant nobody needs', { tenant: 'acme' }, '/body/tenant'],
    ['credentials of another API', { credentials: { username: 'u', password: 'p' } }, '/body/credentials'],
    ['credentials of two APIs', { credentials: { apiKey: 'k', signingSecret: 's' } }, '/body/credentials'],
    ['a key with a line break', { credentials: { apiKey: 'k\r\nX-Evil: 1' } }, '/body/credentials/apiKey'],
    ['an API nobody knows', { api: 'sap' }, '/body/api'],
  ])('is refused with %s', async (_what, more, pointer) => {
    const answer = await create(more);
    expect([answer.statusCode, pointersOf(answer)]).toEqual([400, [pointer]]);
  });

  test.each(['workday-rest', 'workday-soap'] as const)('to %s needs a tenant that is no path', async (api) => {
    for (const tenant of [undefined, '..', 'a/b', 'a%2fb', 'a?b'])
      expect(
        pointersOf(await stage.ask(companyId, 'POST', '/connections', { ...stage.connectionBody(api), tenant })),
      ).toEqual(['/body/tenant']);
  });

  test('does not get its credentials sent to another host', async () => {
    const id = await stage.connect(companyId, 'goodera-key');
    const elsewhere = 'http://127.0.0.1:9/steal';
    const refused = await stage.ask(companyId, 'PATCH', `/connections/${id}`, { baseUrl: elsewhere });
    expect([refused.statusCode, pointersOf(refused)]).toEqual([400, ['/body/credentials']]);
    const again = { baseUrl: elsewhere, credentials: { apiKey: 'theirs' } };
    expect((await stage.ask(companyId, 'PATCH', `/connections/${id}`, again)).statusCode).toBe(200);
  });

  test('ends what it has not sent when it is deleted, and takes nothing more', async () => {
    const id = await stage.connect(companyId, 'goodera-key');
    const deliveryId = await stage.send(companyId, id);
    await stage.ask(companyId, 'DELETE', `/connections/${id}`);
    expect(await stage.detail(companyId, deliveryId)).toMatchObject({
      status: 'failed',
      lastError: 'the connection was deleted',
    });
    await expect(stage.send(companyId, id)).rejects.toThrow('connection_not_found');
    await stage.sendAll();
    expect(stage.partner.records().some(({ idempotencyKey }) => idempotencyKey === deliveryId)).toBe(false);
  });

  test('that is deleted during a call leaves nothing open, and believes good news', async () => {
    for (const [fault, status] of [
      [null, 'success'],
      ['error500', 'failed'],
    ] as const) {
      const id = await stage.connect(companyId, 'goodera-key');
      const deliveryId = await stage.send(companyId, id);
      stage.partner.inject(fault);
      const { company } = stage.hub.db;
      let transactions = 0;
      const deletesMeanwhile: typeof company = async (owner, work) => {
        transactions += 1;
        // The third one records.
        if (transactions === 3) await stage.ask(companyId, 'DELETE', `/connections/${id}`);
        return company(owner, work);
      };
      const deps = { ...stage.deps, db: { ...stage.hub.db, company: deletesMeanwhile } };
      await sendCall(deps, { companyId, connectionId: id }, new AbortController().signal);
      expect(await stage.detail(companyId, deliveryId)).toMatchObject({
        status,
        attempts: 1,
        sending: { nextAttemptAt: null },
      });
    }
  });

  test('that is paused keeps what is to be sent until it is resumed', async () => {
    const id = await stage.connect(companyId, 'goodera-key');
    await stage.ask(companyId, 'PATCH', `/connections/${id}`, { state: 'paused' });
    const deliveryId = await stage.send(companyId, id);
    await stage.sendAll();
    expect(await stage.detail(companyId, deliveryId)).toMatchObject({ status: 'pending', attempts: 0 });
    await stage.ask(companyId, 'PATCH', `/connections/${id}`, { state: 'active' });
    await stage.sendAll();
    expect(await stage.detail(companyId, deliveryId)).toMatchObject({ status: 'success', attempts: 1 });
  });

  test('is one of fifty at most', async () => {
    const other = await stage.hub.addCompany();
    for (let n = 0; n < 50; n += 1) await stage.connect(other, 'goodera-key');
    await expect(stage.connect(other, 'goodera-key')).rejects.toThrow('too_many_connections');
  }, 30_000);
});

describe('unless the operator allows it, an address', () => {
  test.each([
    'http://api.example.org',
    'https://127.0.0.1',
    'https://[::1]:8443/api',
    'https://169.254.169.254',
    'https://10.0.0.8',
    'https://localhost',
    'https://db.internal',
    'https://0x7f.1',
    'https://localhost.',
    'https://db.internal.',
    'https://127.0.0.1.',
    'https://x.',
    'https://.',
    'https://api.example.org:0',
  ])('may not be %s', async (baseUrl) => {
    const owner = await strict.hub.addCompany();
    const answer = await strict.ask(owner, 'POST', '/connections', strict.connectionBody('goodera-key', { baseUrl }));
    expect([answer.statusCode, pointersOf(answer)]).toEqual([400, ['/body/baseUrl']]);
  });

  test('whose name leads to a private network is not connected to', async () => {
    const owner = await strict.hub.addCompany();
    const body = strict.connectionBody('goodera-key', { baseUrl: 'https://partner.example.org' });
    const made = await strict.ask(owner, 'POST', '/connections', body);
    const { id } = made.json<{ id: string }>();
    // As an operator of a name server could, after the address was accepted.
    await strict.hub.owner`update impact_in_connection set base_url = ${strict.partner.baseUrl} where id = ${id}`;
    const deliveryId = await strict.send(owner, id);
    await strict.hurry();
    await strict.sendDue();
    expect((await strict.detail(owner, deliveryId)).attemptLog).toMatchObject([
      { result: 'failure', errorClass: 'private_address' },
    ]);
    expect(strict.partner.calls()).toEqual([]);
  });
});

describe('the test of a connection', () => {
  const tested = async (id: string) => (await stage.ask(companyId, 'POST', `/connections/${id}/test`)).json<object>();

  test.each([
    ['benevity', true],
    ['benevity-bearer', true],
    ['goodera', true],
    ['goodera-key', true],
    ['workday-rest', true],
    ['workday-soap', null],
  ] as const)('says for %s that it works, and delivers nothing', async (api, authorized) => {
    const before = stage.partner.records().length;
    expect(await tested(await stage.connect(companyId, api))).toMatchObject({ reachable: true, authorized });
    expect(stage.partner.records()).toHaveLength(before);
  });

  test('says that credentials are wrong', async () => {
    const wrongKey = await stage.connect(companyId, 'goodera-key', { credentials: { apiKey: 'wrong' } });
    expect(await tested(wrongKey)).toMatchObject({ reachable: true, authorized: false, httpStatus: 401 });
    const wrongClient = await stage.connect(companyId, 'goodera', {
      credentials: { clientId: 'x', clientSecret: 'wrong' },
    });
    expect(await tested(wrongClient)).toMatchObject({
      reachable: true,
      authorized: false,
      detail: 'no access token: invalid_client',
    });
  });

  test('says that nobody answers', async () => {
    const id = await stage.connect(companyId, 'goodera', { baseUrl: 'http://127.0.0.1:1' });
    expect(await tested(id)).toMatchObject({
      reachable: false,
      authorized: null,
      detail: 'the partner could not be reached (ECONNREFUSED)',
    });
  });

  test('claims no more than that the credentials were not refused', async () => {
    const tried = await tested(await stage.connect(companyId, 'goodera-key'));
    expect(tried).toMatchObject({ detail: expect.stringContaining('did not refuse the credentials') });
  });
});
