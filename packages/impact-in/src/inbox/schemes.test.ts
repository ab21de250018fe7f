import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventOf, read, useTestHub, type TestEndpoint } from '../test-hub.ts';
import { schemeNames, type SchemeName } from '../verification/profile.ts';
import { inputOf, requestFor, send, type Sending } from './test-schemes.ts';

const endpoints = {} as Record<SchemeName, TestEndpoint>;
const hub = await useTestHub();
const companyId = await hub.addCompany();
for (const scheme of schemeNames) endpoints[scheme] = await hub.addEndpoint(companyId, inputOf[scheme]);

const answered = (scheme: SchemeName): number => (scheme === 'goodera-unsigned' ? 202 : 200);
const lastReason = async ({ id }: TestEndpoint): Promise<unknown> => {
  const path = `/receipts?endpointId=${id}&outcome=rejected&limit=1`;
  return (await read(hub, companyId, path)).json<{ data: { reason: string }[] }>().data[0]?.reason;
};

/** What proves who sends, in the headers and the address. */
const securityHeaders = ({ headers }: Sending): string[] =>
  Object.keys(headers).filter((name) => name.toLowerCase() !== 'content-type');

const without = (request: Sending, name: string): Sending => {
  const { [name]: _left, ...headers } = request.headers;
  return { ...request, headers };
};

describe.each(schemeNames.map((scheme) => [scheme]))('%s', (scheme) => {
  const seedOf = (what: string) => `${scheme} ${what}`;

  test('takes what its partner sends, once', async () => {
    const request = await requestFor(hub, endpoints[scheme], seedOf('once'));
    const [first, second] = [await send(hub, request), await send(hub, request)];
    expect([first.statusCode, second.statusCode], first.body).toEqual([answered(scheme), 200]);
    expect(second.json()).toMatchObject({ duplicate: true });
  });

  test('keeps nothing with the receipt that could be used again', async () => {
    const request = await requestFor(hub, endpoints[scheme], seedOf('kept'));
    const { receiptId } = (await send(hub, request)).json<{ receiptId: string }>();
    const [row] = await hub.owner<{ sealed: Buffer }[]>`select sealed from impact_in_receipt where id = ${receiptId}`;
    const sealed = row?.sealed ?? Buffer.alloc(0);
    const kept = await hub.crypto.unseal({ companyId, purpose: 'impact_in.receipt', context: receiptId, sealed });
    expect(kept.includes(request.body)).toBe(true);
    const { authorization, 'x-webhook-token': token } = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]),
    );
    for (const secret of [authorization, token, request.url.split('token=')[1]])
      if (secret !== undefined) expect(kept.includes(secret)).toBe(false);
  });

  test('shows which of its secrets were in use', async () => {
    const endpoint = await hub.addEndpoint(companyId, inputOf[scheme]);
    await send(hub, await requestFor(hub, endpoint, seedOf('in use')));
    await hub.impactIn.deps.matchedSecrets.flush();
    const secrets = await hub.owner<{ kind: string; used: boolean }[]>`
      select kind, last_matched_at is not null as used from impact_in_endpoint_secret where endpoint_id = ${endpoint.id}`;
    expect(secrets.filter(({ kind, used }) => !used && kind !== 'token_key')).toEqual([]);
  });

  test('refuses a request that lacks any of its security headers, or has one twice', async () => {
    const request = await requestFor(hub, endpoints[scheme], seedOf('without'));
    for (const name of securityHeaders(request)) {
      expect((await send(hub, without(request, name))).statusCode, name).toBe(401);
      const twice = { ...request, headers: { ...request.headers, [name]: [request.headers[name], 'x'] as never } };
      expect([400, 401], name).toContain((await send(hub, twice)).statusCode);
    }
  });

  test('is not opened by what any other scheme needs, alone or beside what is wrong', async () => {
    const own = await requestFor(hub, endpoints[scheme], seedOf('crossed'));
    for (const other of schemeNames) {
      if (other === scheme || endpoints[other].partner !== endpoints[scheme].partner) continue;
      const foreign = await requestFor(hub, endpoints[other], seedOf('crossed'));
      const { headers } = foreign;
      // With the address of this endpoint, and with whatever the other one has in its address.
      for (const url of [own.url.split('?')[0] ?? '', foreign.url.replace(endpoints[other].id, endpoints[scheme].id)])
        expect((await send(hub, { ...foreign, headers, url })).statusCode, `${other} ${url}`).toBe(401);
    }
  });

  test('is not opened by its own headers when all secrets belong to another endpoint', async () => {
    const twin = await hub.addEndpoint(companyId, inputOf[scheme]);
    const request = await requestFor(hub, twin, seedOf('twin'));
    const url = request.url.replace(twin.id, endpoints[scheme].id);
    const isSameTrust = scheme.endsWith('-jwt');
    expect((await send(hub, { ...request, url })).statusCode).toBe(isSameTrust ? 200 : 401);
  });

  test('refuses any changed bit of its security headers', async () => {
    const request = await requestFor(hub, endpoints[scheme], seedOf('bits'));
    const names = securityHeaders(request);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.nat(6), async (name, position, bit) => {
        const value = Buffer.from(request.headers[name] ?? '', 'latin1');
        const at = position % value.length;
        value.writeUInt8(value.readUInt8(at) ^ (1 << bit), at);
        const changed = value.toString('latin1');
        // Upper and lower case mean the same in hexadecimal digits and in names of schemes, the last letter of a token
        // and of base64 carries bits that no byte uses, and blanks at the ends are not part of a value.
        fc.pre(changed.toLowerCase() !== request.headers[name]?.toLowerCase() && at < value.length - 4);
        fc.pre(/^[!-~][ -~]*$/.test(changed));
        const answer = await send(hub, { ...request, headers: { ...request.headers, [name]: changed } });
        expect(answer.statusCode, `${name}: ${changed}`).toBe(401);
      }),
      { numRuns: 40 },
    );
  });

  test('says in its receipts, and nowhere else, why', async () => {
    // One that has not been refused yet: only a sample of what is refused is kept.
    const endpoint = await hub.addEndpoint(companyId, inputOf[scheme]);
    const request = await requestFor(hub, endpoint, seedOf('reason'));
    const [name = ''] = securityHeaders(request);
    const answer = await send(hub, without(request, name));
    expect(answer.json()).toMatchObject({ code: 'impact_in.not_authentic' });
    await expect.poll(() => lastReason(endpoint)).toMatch(/^missing_/);
    expect(answer.body).not.toContain('missing_');
  });
});

describe('weak schemes', () => {
  const weak = ['benevity-legacy', 'goodera-legacy', 'workday-legacy'] as const;
  const sendAged = async (endpoint: TestEndpoint, ageMs: number, change: object = {}) => {
    const { payload } = eventOf(endpoint.partner, `aged ${ageMs}`, { nowMs: Date.now() - ageMs });
    const body = Buffer.from(JSON.stringify({ ...payload, ...change }));
    return (await send(hub, await requestFor(hub, endpoint, 'aged', body))).statusCode;
  };

  test.each(weak)('%s takes payloads of the last day and of the next minutes only', async (scheme) => {
    const endpoint = await hub.addEndpoint(companyId, inputOf[scheme]);
    expect(await sendAged(endpoint, 86_390_000)).toBe(200);
    expect(await sendAged(endpoint, 86_401_000)).toBe(401);
    await expect.poll(() => lastReason(endpoint)).toBe('payload_too_old');
    expect(await sendAged(endpoint, -290_000)).toBe(200);
    expect(await sendAged(endpoint, -302_000)).toBe(401);
    for (const timestamp of [undefined, null, '', 'yesterday', {}, '2026-02-30T00:00:00Z'])
      expect(await sendAged(endpoint, 1, { timestamp })).toBe(401);
  });
});

describe('an endpoint that everybody may write to', () => {
  test('does not exist without networks, whatever is stored', async () => {
    const endpoint = await hub.addEndpoint(companyId, inputOf['goodera-unsigned']);
    const request = await requestFor(hub, endpoint, 'no networks');
    await hub.owner`update impact_in_endpoint set allowed_networks = null where id = ${endpoint.id}`;
    await hub.impactIn.deps.endpoints.reload(endpoint.id);
    expect((await send(hub, request)).statusCode).toBe(401);
  });

  test.each<[SchemeName, object]>([
    ['custom-hmac', {}],
    ['custom-hmac', { profile: { signatureHeader: 7 } }],
    ['workday-jwt', {}],
    ['workday-jwt', { jwt: {} }],
    ['workday-jwt', { jwt: { issuer: 'i', audience: 'a', jwks: 7 } }],
    ['workday-jwt', { jwt: { issuer: 'i', audience: 'a', jwksUrl: 'nonsense' } }],
  ])('with damaged settings takes nothing, and others go on: %s %j', async (scheme, settings) => {
    const endpoint = await hub.addEndpoint(companyId, inputOf[scheme]);
    const request = await requestFor(hub, endpoint, `damaged ${JSON.stringify(settings)}`);
    await hub.owner`update impact_in_endpoint set settings = ${JSON.stringify(settings)}::jsonb where id = ${endpoint.id}`;
    await hub.impactIn.deps.endpoints.reload();
    expect((await send(hub, request)).statusCode).toBe(401);
    const other = endpoints['benevity-hmac'];
    const healthy = await requestFor(hub, other, `beside ${scheme} ${JSON.stringify(settings)}`);
    expect((await send(hub, healthy)).statusCode).toBe(200);
    await hub.owner`delete from impact_in_endpoint_secret where endpoint_id = ${endpoint.id}`;
    await hub.owner`delete from impact_in_endpoint where id = ${endpoint.id}`;
  });
});

test('at the bare address only a signature says whose a request is, since nothing else covers the account', async () => {
  const { payload } = eventOf('benevity', 'bare');
  const hint = String(payload['organization_id']);
  const signed = await hub.addEndpoint(companyId, { ...inputOf['benevity-hmac'], hint });
  const byToken = await hub.addEndpoint(companyId, { ...inputOf['benevity-jwt'], hint });
  const sendBare = async (endpoint: TestEndpoint) =>
    (await send(hub, { ...(await requestFor(hub, endpoint, 'bare')), url: '/webhooks/benevity' })).statusCode;
  expect(await sendBare(byToken)).toBe(401);
  expect(await sendBare(signed)).toBe(200);
});
