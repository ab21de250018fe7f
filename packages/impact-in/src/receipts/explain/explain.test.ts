import { createHmac } from 'node:crypto';
import { newId } from '@impact-hub/core';
import { describe, expect, test } from 'vitest';
import { eventOf, read, sendSigned, useTestHub, type TestEndpoint } from '../../test-hub.ts';
import { keepRejected, signedRequest, type SentRequest } from '../test-kept.ts';
import { addSignedEndpoints, explain, explainRejected, failedOf, findingsOf } from './test-explain.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();
const endpoints = await addSignedEndpoints(hub, companyId);

const at = (scheme: string): TestEndpoint => endpoints[scheme] as TestEndpoint;
const bodyOf = (seed: string, partner: TestEndpoint['partner'] = 'benevity') => eventOf(partner, seed).body;
const hex = (key: string | Buffer, ...parts: (string | Buffer)[]): string => {
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(part);
  return hmac.digest('hex');
};
const seconds = (): string => String(Math.floor(Date.now() / 1_000));
const benevity = (value: string, body: Buffer): SentRequest => ({ headers: [['X-Benevity-Signature', value]], body });

describe('an explanation', () => {
  test('shows every decision up to the one that refused, and none after it as made', async () => {
    const { checks, summary } = await explainRejected(hub, at('goodera-hmac'), {
      headers: [],
      body: bodyOf('a', 'goodera'),
    });
    expect(summary).toContain('no signature');
    expect(checks.map(({ name, outcome }) => [name, outcome]).slice(0, 6)).toEqual([
      ['address', 'passed'],
      ['scheme', 'passed'],
      ['body_encoding', 'passed'],
      ['signature_header', 'failed'],
      ['signature_shape', 'not_reached'],
      ['timestamp_header', 'not_reached'],
    ]);
  });

  test('of an accepted event passes every line and names the secret that matched', async () => {
    const { receiptId } = (await sendSigned(hub, at('benevity-hmac'), bodyOf('accepted'))).json<{
      receiptId: string;
    }>();
    const explanation = await explain(hub, companyId, receiptId);
    expect(explanation.checks.every(({ outcome }) => outcome === 'passed')).toBe(true);
    expect(explanation.checks.find(({ name }) => name === 'signature')?.detail).toContain(
      explanation.secrets.atArrival[0],
    );
    expect(explanation.findings).toEqual([]);
  });

  test('says how far the clock was off, and that the signature is right', async () => {
    const request = signedRequest(at('benevity-hmac'), bodyOf('late'), { nowMs: Date.now() - 612_000 });
    const explanation = await explainRejected(hub, at('benevity-hmac'), request);
    expect(failedOf(explanation)).toEqual(['clock']);
    expect(explanation.checks.find(({ name }) => name === 'clock')?.detail).toMatch(
      /61[23] s behind .*300 s are allowed/,
    );
    expect(findingsOf(explanation)).toEqual(['clock_is_off']);
  });

  test('names the header that was sent twice', async () => {
    const { headers, body } = signedRequest(at('goodera-hmac'), bodyOf('twice', 'goodera'));
    const explanation = await explainRejected(hub, at('goodera-hmac'), {
      headers: [...headers, ['x-goodera-request-timestamp', seconds()]],
      body,
    });
    expect(failedOf(explanation)).toEqual(['timestamp_header']);
  });

  test('tells which retired secret, and which other endpoint’s, it was signed with', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
    const request = signedRequest(endpoint, bodyOf('retired'));
    await hub.owner`
      update impact_in_endpoint_secret set state = 'retired', not_after = '2026-01-02T03:04:05Z', created_at = '2026-01-01'
      where endpoint_id = ${endpoint.id}`;
    await hub.impactIn.deps.endpoints.reload(endpoint.id);
    const explanation = await explainRejected(hub, endpoint, request);
    expect(failedOf(explanation)).toEqual(['secrets']);
    expect(explanation.findings[0]).toMatchObject({ name: 'secret_has_ended' });
    expect(explanation.findings[0]?.detail).toContain('2026-01-02T03:04:05');
    const elsewhere = await explainRejected(
      hub,
      at('benevity-hmac'),
      signedRequest(at('benevity-hmac'), bodyOf('other'), { secret: at('goodera-hmac').secret }),
    );
    expect(failedOf(elsewhere)).toEqual(['signature']);
    expect(elsewhere.findings[0]?.detail).toContain(at('goodera-hmac').id);
  });

  test('recognises a request that is signed for another scheme', async () => {
    const explanation = await explainRejected(
      hub,
      at('benevity-hmac'),
      signedRequest(at('standard-webhooks'), bodyOf('family')),
    );
    expect(findingsOf(explanation)).toContain('other_scheme');
    expect(explanation.findings[0]?.detail).toContain('standard-webhooks');
  });

  test('names the network that was refused', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity', allowedNetworks: ['198.51.100.0/24'] });
    const explanation = await explainRejected(hub, endpoint, signedRequest(endpoint, bodyOf('network')));
    expect(failedOf(explanation)).toEqual(['network']);
    expect(explanation.checks.find(({ name }) => name === 'network')?.detail).toContain('203.0.113.7');
    expect(findingsOf(explanation)).toEqual(['signature_is_right']);
  });

  test('shows a conflict beside its original, and where they differ, without values', async () => {
    const { payload } = eventOf('benevity', 'conflict');
    const first = (await sendSigned(hub, at('benevity-hmac'), payload)).json<{ receiptId: string }>();
    const second = (await sendSigned(hub, at('benevity-hmac'), { ...payload, status: 'other' })).json<{
      receiptId: string;
    }>();
    const explanation = await explain(hub, companyId, second.receiptId);
    expect(failedOf(explanation)).toEqual(['event']);
    expect(explanation).toMatchObject({ original: { id: first.receiptId }, differsAt: ['/status'] });
    const listed = await read(hub, companyId, '/receipts?outcome=conflict');
    expect(listed.json<{ data: { id: string }[] }>().data.map(({ id }) => id)).toContain(second.receiptId);
  });

  test('does not work out anything when only the beginning of the body was kept', async () => {
    const body = Buffer.from(JSON.stringify({ filler: 'x'.repeat(20_000) }));
    const request = signedRequest(at('benevity-hmac'), body, { nowMs: Date.now() - 612_000 });
    expect(findingsOf(await explainRejected(hub, at('benevity-hmac'), request))).toEqual(['body_cut']);
  });

  test('is written into the audit with who asked, and bounded in number', async () => {
    const id = await keepRejected(hub, at('benevity-hmac'), { headers: [], body: bodyOf('audit') });
    await explain(hub, companyId, id);
    const audited =
      await hub.owner`select 1 from audit_event where type = 'impact_in.receipt.explained' and resource_id = ${id}`;
    expect(audited).toHaveLength(1);
    const { explanations } = hub.impactIn.deps.records;
    const { left } = explanations;
    explanations.left = () => 0;
    const refused = await read(hub, companyId, `/receipts/${id}/explain`);
    explanations.left = left;
    expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, '2']);
  });

  test('of another company’s receipt is as absent as one that never was', async () => {
    const id = await keepRejected(hub, at('benevity-hmac'), { headers: [], body: bodyOf('foreign') });
    const other = await hub.addCompany();
    const [theirs, nobodys] = [
      await read(hub, other, `/receipts/${id}/explain`),
      await read(hub, other, `/receipts/${newId()}/explain`),
    ];
    expect([theirs.statusCode, nobodys.statusCode]).toEqual([404, 404]);
    expect(theirs.json<{ code: string }>().code).toBe(nobodys.json<{ code: string }>().code);
  });
});

test('requests without a signature are explained by what was decided at arrival: their credentials are not kept', async () => {
  const basic = await hub.addEndpoint(companyId, { partner: 'workday', scheme: 'workday-basic' });
  const oauth = await hub.addEndpoint(companyId, { partner: 'workday', scheme: 'workday-oauth' });
  const allowedNetworks = ['203.0.113.0/24'];
  const unsigned = await hub.addEndpoint(companyId, {
    partner: 'goodera',
    scheme: 'goodera-unsigned',
    acceptWeak: true,
    allowedNetworks,
  });
  const credentials = Buffer.from('nobody:something').toString('base64');
  const send = async (endpoint: TestEndpoint, headers: [string, string][]) =>
    failedOf(await explainRejected(hub, endpoint, { headers, body: bodyOf('no signature', endpoint.partner) }));
  expect(await send(basic, [])).toEqual(['credentials_header']);
  expect(await send(basic, [['Authorization', 'Basic !']])).toEqual(['credentials_shape']);
  expect(await send(basic, [['Authorization', `Basic ${credentials}`]])).toEqual(['credentials']);
  expect(await send(oauth, [['Authorization', 'Basic eDp5']])).toEqual(['token_shape']);
  expect(await send(oauth, [])).toEqual(['token_header']);
  expect(await send(unsigned, [])).toEqual(['address_token']);
});

describe('mistakes that senders make are recognised when the bytes prove them', () => {
  const cases: Record<string, (body: Buffer, secret: string) => SentRequest> = {
    signature_encoding: (body, secret) => {
      const t = seconds();
      return benevity(`t=${t},v1=${createHmac('sha256', secret).update(`${t}.`).update(body).digest('base64')}`, body);
    },
    signed_text: (body, secret) => benevity(`t=${seconds()},v1=${hex(secret, body)}`, body),
    timestamp_unit: (body, secret) => {
      const t = seconds();
      return benevity(`t=${t},v1=${hex(secret, `${t}000.`, body)}`, body);
    },
    trailing_newline: (body, secret) => {
      const t = seconds();
      return benevity(`t=${t},v1=${hex(secret, `${t}.`, body, '\n')}`, body);
    },
    body_rewritten: (body, secret) => {
      const t = seconds();
      const sent = Buffer.from(JSON.stringify(JSON.parse(body.toString()), null, 2));
      return benevity(`t=${t},v1=${hex(secret, `${t}.`, body)}`, sent);
    },
    secret_decoded: (body, secret) => {
      const t = seconds();
      return benevity(`t=${t},v1=${hex(Buffer.from(secret.replace('whsec_', ''), 'base64'), `${t}.`, body)}`, body);
    },
    secret_without_prefix: (body, secret) => {
      const t = seconds();
      return benevity(`t=${t},v1=${hex(secret.replace('whsec_', ''), `${t}.`, body)}`, body);
    },
    secret_newline: (body, secret) => {
      const t = seconds();
      return benevity(`t=${t},v1=${hex(`${secret}\n`, `${t}.`, body)}`, body);
    },
  };
  test.each(Object.entries(cases))('%s', async (name, make) => {
    const endpoint = at('benevity-hmac');
    const explanation = await explainRejected(hub, endpoint, make(bodyOf(name), endpoint.secret));
    expect(findingsOf(explanation)).toContain(name);
  });

  test('the whole secret as text, where the scheme decodes it', async () => {
    const endpoint = at('standard-webhooks');
    const [t, body] = [seconds(), bodyOf('as text')];
    const signature = createHmac('sha256', endpoint.secret).update(`msg_1.${t}.`).update(body).digest('base64');
    const explanation = await explainRejected(hub, endpoint, {
      headers: [
        ['webhook-id', 'msg_1'],
        ['webhook-timestamp', t],
        ['webhook-signature', `v1,${signature}`],
      ],
      body,
    });
    expect(findingsOf(explanation)).toEqual(['secret_as_text']);
  });
});
