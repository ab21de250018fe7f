import { describe, expect, test } from 'vitest';
import { eventOf, sendSigned, useTestHub, type TestEndpoint } from '../test-hub.ts';
import { faultsOf, type FaultInput } from '../simulators/inject-fault.ts';
import { simulatePartner } from '../simulators/simulate-partner.ts';
import { fetchAccessToken } from '../simulators/fetch-access-token.ts';
import type { PartnerName, SchemeName } from '../verification/profile.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();
const benevity = await hub.addEndpoint(companyId, { partner: 'benevity', hint: 'org_1' });

const receiptOf = async (id: string) => (await hub.owner`select * from impact_in_receipt where id = ${id}`)[0];
const url = () => `/webhooks/benevity/${benevity.id}`;

describe('acknowledgement', () => {
  test('an authentic event is committed with receipt, dedupe row and job before it is acknowledged', async () => {
    const event = eventOf('benevity', 'committed');
    const answer = await sendSigned(hub, benevity, event.body);
    expect(answer.statusCode).toBe(200);
    const { receiptId, ...rest } = answer.json<{ receiptId: string }>();
    expect(rest).toEqual({ received: true });
    expect(await receiptOf(receiptId)).toMatchObject({
      company_id: companyId,
      endpoint_id: benevity.id,
      partner: 'benevity',
      outcome: 'accepted',
      event_id: event.eventId,
      event_type: event.eventType,
      body_bytes: event.body.length,
    });
    expect(await hub.owner`select 1 from impact_in_dedupe where receipt_id = ${receiptId}`).toHaveLength(1);
    expect(await hub.owner`select queue, company_id from job where id = ${receiptId}`).toEqual([
      { queue: 'impact-in.process-receipt', company_id: companyId },
    ]);
  });

  test('a repeated event is answered with the first receipt, recorded, and not queued again', async () => {
    const event = eventOf('benevity', 'repeated');
    const first = (await sendSigned(hub, benevity, event.body)).json<{ receiptId: string }>();
    const second = await sendSigned(hub, benevity, event.body);
    expect(second.statusCode).toBe(200);
    expect(second.json()).toEqual({ received: true, receiptId: first.receiptId, duplicate: true });
    const repeated = await hub.owner`select * from impact_in_receipt where original_id = ${first.receiptId}`;
    expect(repeated).toMatchObject([{ outcome: 'duplicate', sealed: null }]);
    expect(await hub.owner`select 1 from job where payload->>'receiptId' = ${first.receiptId}`).toHaveLength(1);
  });

  test('the same event id with other bytes is kept beside the first one and reported', async () => {
    const { payload } = eventOf('benevity', 'conflict');
    const first = (await sendSigned(hub, benevity, payload)).json<{ receiptId: string }>();
    const second = (await sendSigned(hub, benevity, { ...payload, status: 'other' })).json<{ receiptId: string }>();
    expect(second).toMatchObject({ received: true, duplicate: true });
    expect(second.receiptId).not.toBe(first.receiptId);
    const kept = await receiptOf(second.receiptId);
    expect(kept).toMatchObject({ outcome: 'conflict', original_id: first.receiptId });
    expect(kept?.['sealed']).not.toBeNull();
    expect(await hub.owner`select queue from job where id = ${second.receiptId}`).toEqual([
      { queue: 'impact-in.report-conflict' },
    ]);
  });

  test('authentic bytes that are no known event are quarantined with 202', async () => {
    for (const [body, reason] of [
      [Buffer.from('not json'), 'not_json'],
      [Buffer.from(JSON.stringify({ event_type: 'unheard.of' })), 'schema_mismatch'],
      [Buffer.from([0xff, 0xfe, 0x00]), 'not_json'],
      [Buffer.alloc(0), 'not_json'],
      [
        Buffer.from(JSON.stringify({ ...eventOf('benevity', 'nul').payload, transaction_id: 'a\0b' })),
        'schema_mismatch',
      ],
    ] as const) {
      const answer = await sendSigned(hub, benevity, body);
      expect(answer.statusCode).toBe(202);
      const { receiptId } = answer.json<{ receiptId: string }>();
      expect(await receiptOf(receiptId)).toMatchObject({
        outcome: 'quarantined',
        reason: expect.stringContaining(reason),
      });
      expect(await hub.owner`select 1 from job where id = ${receiptId}`).toHaveLength(0);
    }
  });

  test('raw bytes and headers are stored encrypted and readable by the company only', async () => {
    const event = eventOf('benevity', 'sealed');
    const { receiptId } = (await sendSigned(hub, benevity, event.body, { headers: { cookie: 'secret=1' } })).json<{
      receiptId: string;
    }>();
    const sealed = (await receiptOf(receiptId))?.['sealed'] as Buffer;
    expect(sealed.includes(event.eventId)).toBe(false);
    const open = await hub.crypto.unseal({ companyId, purpose: 'impact_in.receipt', context: receiptId, sealed });
    expect(open.subarray(-event.body.length).equals(event.body)).toBe(true);
    expect(open.includes('secret=1')).toBe(false);
    expect(open.toString('latin1')).toContain('x-benevity-signature');
  });
});

describe('authentication', () => {
  test('every failure gets the same 401, whether or not the endpoint exists', async () => {
    const event = eventOf('benevity', 'refused');
    const body = event.body;
    const unsigned = (address: string) =>
      hub.server.inject({
        method: 'POST',
        url: address,
        payload: body,
        headers: { 'content-type': 'application/json' },
      });
    const answers = [
      await unsigned(url()),
      await sendSigned(hub, benevity, body, { secret: 'wrong' }),
      await sendSigned(hub, benevity, body, { url: `/webhooks/goodera/${benevity.id}` }),
      await sendSigned(hub, benevity, body, { url: '/webhooks/benevity/0192f5a0-0000-7000-8000-000000000000' }),
      await sendSigned(hub, benevity, body, { url: '/webhooks/benevity/not-an-id' }),
      await sendSigned(hub, benevity, body, { url: `/webhooks/nobody/${benevity.id}` }),
      await unsigned('/webhooks/benevity'),
      await unsigned('/webhooks/workday'),
    ];
    const bodies = answers.map((answer) => {
      expect(answer.statusCode).toBe(401);
      const { requestId, instance, ...rest } = answer.json<Record<string, unknown>>();
      expect(requestId).toBeTypeOf('string');
      expect(instance).toBeTypeOf('string');
      return JSON.stringify(rest);
    });
    expect(new Set(bodies).size).toBe(1);
    expect(bodies[0]).toContain('impact_in.not_authentic');
  });

  test('a refused request is recorded with its reason, up to a cap, and never for an endpoint that does not exist', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'goodera' });
    for (let n = 0; n < 40; n += 1)
      await sendSigned(hub, endpoint, eventOf('goodera', `forged ${n}`).body, { secret: 'wrong' });
    await expect
      .poll(
        async () => (await hub.owner`select reason from impact_in_receipt where endpoint_id = ${endpoint.id}`).length,
      )
      .toBe(20);
    const rows =
      await hub.owner`select distinct outcome, reason from impact_in_receipt where endpoint_id = ${endpoint.id}`;
    expect(rows).toEqual([{ outcome: 'rejected', reason: 'signature_mismatch' }]);
    expect(await hub.metrics.metrics()).toContain('impact_in_rejected_not_stored_total 20');
    const unknown =
      await hub.owner`select 1 from impact_in_receipt where endpoint_id not in (select id from impact_in_endpoint)`;
    expect(unknown).toHaveLength(0);
  });

  test('the bare address accepts exactly the endpoint whose account and secret fit', async () => {
    const other = await hub.addEndpoint(await hub.addCompany(), { partner: 'benevity', hint: 'org_1' });
    const { payload } = eventOf('benevity', 'bare');
    const mine = await sendSigned(
      hub,
      benevity,
      { ...payload, organization_id: 'org_1' },
      { url: '/webhooks/benevity' },
    );
    expect(mine.statusCode).toBe(200);
    expect(await receiptOf(mine.json<{ receiptId: string }>().receiptId)).toMatchObject({ endpoint_id: benevity.id });
    const theirs = await sendSigned(
      hub,
      other,
      { ...payload, organization_id: 'org_1' },
      { url: '/webhooks/benevity' },
    );
    expect(await receiptOf(theirs.json<{ receiptId: string }>().receiptId)).toMatchObject({ endpoint_id: other.id });
    const elsewhere = await sendSigned(
      hub,
      benevity,
      { ...payload, organization_id: 'org_2' },
      { url: '/webhooks/benevity' },
    );
    expect(elsewhere.statusCode).toBe(401);
  });

  test('only the allowed networks may send', async () => {
    const closed = await hub.addEndpoint(companyId, { partner: 'benevity', allowedNetworks: ['203.0.113.0/24'] });
    expect((await sendSigned(hub, closed, eventOf('benevity', 'network').body)).statusCode).toBe(401);
    const open = await hub.addEndpoint(companyId, { partner: 'benevity', allowedNetworks: ['127.0.0.0/8', '::1'] });
    expect((await sendSigned(hub, open, eventOf('benevity', 'network').body)).statusCode).toBe(200);
  });

  test('encoded and oversize bodies are refused', async () => {
    expect(
      (await sendSigned(hub, benevity, Buffer.from('x'), { headers: { 'content-encoding': 'gzip' } })).statusCode,
    ).toBe(415);
    for (const [coding, status] of [
      ['gzip, chunked', 415],
      ['gzip', 415],
      ['Chunked', 200],
    ] as const) {
      const headers = { 'transfer-encoding': coding };
      const answer = await sendSigned(hub, benevity, eventOf('benevity', `coded ${coding}`).body, { headers });
      expect([coding, answer.statusCode]).toEqual([coding, status]);
    }
    expect((await sendSigned(hub, benevity, Buffer.alloc(262_145, 'x'))).statusCode).toBe(413);
    expect((await sendSigned(hub, benevity, Buffer.alloc(1_100_000, 'x'))).statusCode).toBe(413);
    expect(
      (await sendSigned(hub, benevity, eventOf('benevity', 'type').body, { headers: { 'content-type': 'text/plain' } }))
        .statusCode,
    ).toBe(200);
  });

  test('a paused endpoint sends authentic requests away for later, and tells others nothing', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
    const setState = (verb: string) =>
      hub.server.inject({
        method: 'POST',
        url: `/api/v1/impact-in/endpoints/${endpoint.id}/${verb}`,
        headers: { 'x-test-company': companyId },
      });
    expect((await setState('pause')).json()).toMatchObject({ state: 'paused' });
    const event = eventOf('benevity', 'paused');
    const answer = await sendSigned(hub, endpoint, event.body);
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '300']);
    expect((await sendSigned(hub, endpoint, event.body, { secret: 'wrong' })).statusCode).toBe(401);
    await setState('resume');
    expect((await sendSigned(hub, endpoint, event.body)).statusCode).toBe(200);
  });
});

describe('the partner simulators against the real receiver', () => {
  const fetchHub: typeof fetch = async (address, init) => {
    const { pathname } = new URL(String(address));
    const headers = new Headers(init?.headers);
    if (init?.body instanceof URLSearchParams)
      headers.set('content-type', 'application/x-www-form-urlencoded;charset=UTF-8');
    const payload =
      init?.body instanceof URLSearchParams ? init.body.toString() : Buffer.from(init?.body as Uint8Array);
    const answer = await hub.server.inject({
      method: 'POST',
      url: pathname,
      headers: Object.fromEntries(headers),
      payload,
    });
    return new Response(answer.rawPayload.toString('utf8'), { status: answer.statusCode });
  };
  const cases = (
    ['benevity-hmac', 'goodera-hmac', 'workday-hmac', 'workday-oauth', 'standard-webhooks'] as SchemeName[]
  ).flatMap((scheme) => faultsOf(scheme).map((fault) => ({ scheme, fault })));
  const endpoints = new Map<SchemeName, TestEndpoint>();

  test.each(cases)('$scheme, $fault, is answered as documented', async ({ scheme, fault }) => {
    const partner = scheme === 'standard-webhooks' ? 'goodera' : (scheme.split('-')[0] as PartnerName);
    const endpoint = endpoints.get(scheme) ?? (await hub.addEndpoint(companyId, { partner, scheme }));
    endpoints.set(scheme, endpoint);
    const { credentials } = endpoint;
    const secret =
      'secret' in credentials
        ? credentials.secret
        : await fetchAccessToken('http://hub.test/oauth/token', credentials as never, fetchHub);
    const input: FaultInput = {
      partner,
      scheme,
      secret,
      seed: `${scheme} ${fault}`,
      nowMs: Date.now(),
    };
    const result = await simulatePartner(`http://hub.test/webhooks/${partner}/${endpoint.id}`, fault, input, fetchHub);
    expect(result).toMatchObject({ asExpected: true });
  });

  test('a wrong client secret gets the error of RFC 6749', async () => {
    const endpoint = endpoints.get('workday-oauth');
    const answer = await hub.server.inject({
      method: 'POST',
      url: '/oauth/token',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: `grant_type=client_credentials&client_id=${endpoint?.id}&client_secret=wrong`,
    });
    expect([answer.statusCode, answer.json()]).toEqual([401, { error: 'invalid_client' }]);
  });
});

test('the time to an answer is measured by partner and outcome', async () => {
  const event = eventOf('benevity', 'measured');
  await sendSigned(hub, benevity, event.body, { secret: 'wrong' });
  await sendSigned(hub, benevity, event.body);
  const metrics = await hub.metrics.metrics();
  for (const outcome of ['accepted', 'rejected'])
    expect(metrics).toMatch(
      new RegExp(`impact_in_delivery_duration_seconds_count{partner="benevity",outcome="${outcome}"} [1-9]`),
    );
});

test('health tells per partner whether an active endpoint exists, and nothing else', async () => {
  const answer = await hub.server.inject('/webhooks/health');
  expect(answer.json()).toEqual({
    status: 'ok',
    partners: { benevity: { active: true }, goodera: { active: true }, workday: { active: true } },
  });
});
