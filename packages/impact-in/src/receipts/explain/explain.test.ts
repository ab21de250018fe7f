import { createHmac } from 'node:crypto';
import { newId } from '@impact-hub/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestHub, eventOf, read, sendSigned, type TestEndpoint, type TestHub } from '../../test-hub.ts';
import { families, profiles } from '../../verification/profile.ts';
import { verificationFailures } from '../../verification/verification-failure.ts';
import { keepRejected, signedRequest, type SentRequest } from '../test-kept.ts';
import { stepsOf } from './steps.ts';

type Explanation = {
  summary: string;
  checks: { name: string; outcome: string; detail: string; advice: string | null }[];
  findings: { name: string; detail: string; secretId: string | null }[];
  secrets: { atArrival: string[]; today: string[] };
  original: { id: string } | null;
  differsAt: string[] | null;
};

let hub: TestHub;
let companyId: string;
const endpoints: Record<string, TestEndpoint> = {};
beforeAll(async () => {
  hub = await createTestHub();
  // What the tests ask for at once is more than a person does.
  hub.impactIn.deps.records.explanations.left = () => 60;
  companyId = await hub.addCompany();
  endpoints['benevity-hmac'] = await hub.addEndpoint(companyId, { partner: 'benevity' });
  endpoints['goodera-hmac'] = await hub.addEndpoint(companyId, { partner: 'goodera' });
  endpoints['workday-hmac'] = await hub.addEndpoint(companyId, { partner: 'workday' });
  endpoints['standard-webhooks'] = await hub.addEndpoint(companyId, {
    partner: 'benevity',
    scheme: 'standard-webhooks',
  });
});
afterAll(() => hub.close());

const at = (scheme: string): TestEndpoint => endpoints[scheme] as TestEndpoint;
const bodyOf = (seed: string, partner: TestEndpoint['partner'] = 'benevity') => eventOf(partner, seed).body;
const explain = async (id: string | null, company = companyId): Promise<Explanation> => {
  const answer = await read(hub, company, `/receipts/${id}/explain`);
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${answer.body}`);
  return answer.json<Explanation>();
};
const failedOf = ({ checks }: Explanation) =>
  checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name);
const findingsOf = ({ findings }: Explanation) => findings.map(({ name }) => name);
const explainRejected = async (endpoint: TestEndpoint, request: SentRequest, more = {}) =>
  explain(await keepRejected(hub, endpoint, request, more));

const setHeader = ({ headers, body }: SentRequest, name: string, change: (value: string) => string): SentRequest => ({
  body,
  headers: headers.map(([key, value]) => [key, key === name ? change(value) : value]),
});
const hex = (key: string | Buffer, ...parts: (string | Buffer)[]): string => {
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(part);
  return hmac.digest('hex');
};
const seconds = (): string => String(Math.floor(Date.now() / 1_000));
const benevity = (value: string, body: Buffer): SentRequest => ({ headers: [['X-Benevity-Signature', value]], body });

describe('an explanation', () => {
  test('shows every decision up to the one that refused, and none after it as made', async () => {
    const { checks, summary } = await explainRejected(at('goodera-hmac'), {
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
    const explanation = await explain(receiptId);
    expect(explanation.checks.every(({ outcome }) => outcome === 'passed')).toBe(true);
    expect(explanation.checks.find(({ name }) => name === 'signature')?.detail).toContain(
      explanation.secrets.atArrival[0],
    );
    expect(explanation.findings).toEqual([]);
  });

  test('says how far the clock was off, and that the signature is right', async () => {
    const request = signedRequest(at('benevity-hmac'), bodyOf('late'), { nowMs: Date.now() - 612_000 });
    const explanation = await explainRejected(at('benevity-hmac'), request);
    expect(failedOf(explanation)).toEqual(['clock']);
    expect(explanation.checks.find(({ name }) => name === 'clock')?.detail).toMatch(
      /61[23] s behind .*300 s are allowed/,
    );
    expect(findingsOf(explanation)).toEqual(['clock_is_off']);
  });

  test('names the header that was sent twice', async () => {
    const { headers, body } = signedRequest(at('goodera-hmac'), bodyOf('twice', 'goodera'));
    const explanation = await explainRejected(at('goodera-hmac'), {
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
    const explanation = await explainRejected(endpoint, request);
    expect(failedOf(explanation)).toEqual(['secrets']);
    expect(explanation.findings[0]).toMatchObject({ name: 'secret_has_ended' });
    expect(explanation.findings[0]?.detail).toContain('2026-01-02T03:04:05');
    const elsewhere = await explainRejected(
      at('benevity-hmac'),
      signedRequest(at('benevity-hmac'), bodyOf('other'), { secret: at('goodera-hmac').secret }),
    );
    expect(failedOf(elsewhere)).toEqual(['signature']);
    expect(elsewhere.findings[0]?.detail).toContain(at('goodera-hmac').id);
  });

  test('recognises a request that is signed for another scheme', async () => {
    const explanation = await explainRejected(
      at('benevity-hmac'),
      signedRequest(at('standard-webhooks'), bodyOf('family')),
    );
    expect(findingsOf(explanation)).toContain('other_scheme');
    expect(explanation.findings[0]?.detail).toContain('standard-webhooks');
  });

  test('names the network that was refused', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity', allowedNetworks: ['198.51.100.0/24'] });
    const explanation = await explainRejected(endpoint, signedRequest(endpoint, bodyOf('network')));
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
    const explanation = await explain(second.receiptId);
    expect(failedOf(explanation)).toEqual(['event']);
    expect(explanation).toMatchObject({ original: { id: first.receiptId }, differsAt: ['/status'] });
    const listed = await read(hub, companyId, '/receipts?outcome=conflict');
    expect(listed.json<{ data: { id: string }[] }>().data.map(({ id }) => id)).toContain(second.receiptId);
  });

  test('does not work out anything when only the beginning of the body was kept', async () => {
    const body = Buffer.from(JSON.stringify({ filler: 'x'.repeat(20_000) }));
    const request = signedRequest(at('benevity-hmac'), body, { nowMs: Date.now() - 612_000 });
    expect(findingsOf(await explainRejected(at('benevity-hmac'), request))).toEqual(['body_cut']);
  });

  test('is written into the audit with who asked, and bounded in number', async () => {
    const id = await keepRejected(hub, at('benevity-hmac'), { headers: [], body: bodyOf('audit') });
    await explain(id);
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
    const explanation = await explainRejected(endpoint, make(bodyOf(name), endpoint.secret));
    expect(findingsOf(explanation)).toContain(name);
  });

  test('the whole secret as text, where the scheme decodes it', async () => {
    const endpoint = at('standard-webhooks');
    const [t, body] = [seconds(), bodyOf('as text')];
    const signature = createHmac('sha256', endpoint.secret).update(`msg_1.${t}.`).update(body).digest('base64');
    const explanation = await explainRejected(endpoint, {
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

describe('whatever arrives', () => {
  const schemes = ['benevity-hmac', 'goodera-hmac', 'workday-hmac', 'standard-webhooks'] as const;
  const mutation = fc.oneof(
    fc.record({ kind: fc.constant('body' as const), at: fc.nat(), byte: fc.integer({ min: 1, max: 255 }) }),
    fc.record({ kind: fc.constant('drop' as const), at: fc.nat() }),
    fc.record({ kind: fc.constant('repeat' as const), at: fc.nat() }),
    fc.record({ kind: fc.constant('letter' as const), at: fc.nat(), place: fc.nat() }),
    fc.record({ kind: fc.constant('replace' as const), at: fc.nat(), by: fc.string({ maxLength: 80 }) }),
    fc.record({ kind: fc.constant('encode' as const) }),
    fc.record({ kind: fc.constant('shift' as const), ms: fc.constantFrom(-86_400_000, -301_500, 301_500, 9e9) }),
  );

  const mutate = (
    endpoint: TestEndpoint,
    body: Buffer,
    change: { kind: string; at?: number; byte?: number; place?: number; by?: string; ms?: number },
  ): SentRequest => {
    const { kind, at: place = 0 } = change;
    const request = signedRequest(endpoint, body, kind === 'shift' ? { nowMs: Date.now() + (change.ms ?? 0) } : {});
    // Only those that decide: Content-Type is anybody's.
    const headers = request.headers.filter(([name]) => name !== 'Content-Type');
    const [name, value] = headers[place % headers.length] ?? ['', ''];
    if (kind === 'body') {
      const changed = Buffer.from(body);
      changed.writeUInt8((changed.readUInt8(place % body.length) + (change.byte ?? 1)) % 256, place % body.length);
      return { headers, body: changed };
    }
    if (kind === 'drop') return { headers: headers.filter((header) => header[0] !== name), body };
    if (kind === 'repeat') return { headers: [...headers, [name.toUpperCase(), value]], body };
    if (kind === 'encode') return { headers: [...headers, ['Content-Encoding', 'gzip']], body };
    if (kind === 'replace') return setHeader({ headers, body }, name, () => change.by ?? '');
    if (kind === 'letter') {
      const index = (change.place ?? 0) % value.length;
      return setHeader(
        { headers, body },
        name,
        (text) => `${text.slice(0, index)}${text[index] === '1' ? '2' : '1'}${text.slice(index + 1)}`,
      );
    }
    return { headers, body };
  };

  test('a refused request is explained by exactly one failed line, and never by a digest or a secret', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...schemes), mutation, fc.nat(), async (scheme, change, seed) => {
        const endpoint = at(scheme);
        const body = bodyOf(`property ${seed}`, endpoint.partner);
        const request = mutate(endpoint, body, change);
        const id = await keepRejected(hub, endpoint, request);
        if (id === null) return; // Upper case for lower case in hexadecimal digits, for example.
        const answer = await read(hub, companyId, `/receipts/${id}/explain`);
        const explanation = answer.json<Explanation>();
        expect(failedOf(explanation)).toHaveLength(1);
        expect(failedOf(explanation)).not.toEqual(['decision']);
        const stamps = request.headers.flatMap(([, value]) => [value, /t=([^,]*)/.exec(value)?.[1] ?? '']);
        for (const { secret } of Object.values(endpoints)) {
          expect(answer.body).not.toContain(secret);
          for (const key of [secret, Buffer.from(secret.replace('whsec_', ''), 'base64')])
            for (const preamble of ['', ...stamps.flatMap((t) => [`${t}.`, `${t}:`, `msg_1.${t}.`])]) {
              const digest = createHmac('sha256', key).update(preamble).update(request.body).digest();
              for (const encoding of ['hex', 'base64', 'base64url'] as const)
                expect(answer.body.toLowerCase()).not.toContain(digest.toString(encoding).toLowerCase());
            }
        }
      }),
      { numRuns: 80 },
    );
  });

  test('every reason to refuse belongs to a step of at least one family', () => {
    const known = new Set(families.flatMap((family) => stepsOf(family).flatMap(({ reasons }) => reasons)));
    expect(Object.keys(verificationFailures).filter((reason) => !known.has(reason))).toEqual([]);
    expect(Object.values(profiles).every(({ family }) => stepsOf(family).length > 3)).toBe(true);
  });
});
