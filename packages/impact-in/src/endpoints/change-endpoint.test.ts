import { newId } from '@impact-hub/core';
import { describe, expect, test } from 'vitest';
import { freshToken, inputOf, jwtTrust, openOther } from '../inbox/test-schemes.ts';
import { eventOf, read, sendSigned, useTestHub } from '../test-hub.ts';
import { newIssuer } from '../verification/test-tokens.ts';
import { endpointLimits } from './endpoint-limits.ts';
import { callEndpoints, isAccepted } from './test-management.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();

const patch = ({ id }: { id: string }, body: object, company = companyId) =>
  callEndpoints(hub, company, 'PATCH', `/${id}`, body);
const remove = ({ id }: { id: string }, company = companyId) => callEndpoints(hub, company, 'DELETE', `/${id}`);
const auditOf = ({ id }: { id: string }, type: string) =>
  hub.owner<{ body: string }[]>`
    select convert_from(body, 'UTF8') as body from audit_event where resource_id = ${id} and type = ${`impact_in.endpoint.${type}`}`;
const statusOf = async (sent: ReturnType<typeof sendSigned>) => (await sent).statusCode;

describe('changing an endpoint', () => {
  test('what is changed holds at once, is audited with what it was, and the rest stays', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity', hint: 'org_before' });
    const wanted = {
      name: 'Another name',
      hint: 'org_after',
      toleranceSeconds: 60,
      bodyLimitBytes: 1_024,
      allowedNetworks: ['10.0.0.0/8'],
      expectedEverySeconds: 3_600,
    };
    const changed = await patch(endpoint, wanted);
    expect(changed).toMatchObject({ status: 200, body: { ...wanted, scheme: endpoint.scheme, url: endpoint.url } });
    expect((await read(hub, companyId, `/endpoints/${endpoint.id}`)).json()).toEqual(changed.body);
    const { body } = eventOf('benevity', newId());
    expect(await statusOf(sendSigned(hub, endpoint, body))).toBe(401);
    await patch(endpoint, { allowedNetworks: null });
    expect(await statusOf(sendSigned(hub, endpoint, body))).toBe(200);
    expect(await statusOf(sendSigned(hub, endpoint, Buffer.alloc(1_025, 'x')))).toBe(413);
    const [event] = await auditOf(endpoint, 'changed');
    expect(event?.body).toContain('org_before');
    expect(event?.body).toContain('org_after');
  });

  test('what is already so leaves no trace', async () => {
    const endpoint = await hub.addEndpoint(companyId, inputOf['custom-hmac']);
    const { name, toleranceSeconds, hint, allowedNetworks, expectedEverySeconds } = endpoint;
    const same = { name, toleranceSeconds, hint, allowedNetworks, expectedEverySeconds };
    expect(await patch(endpoint, same)).toMatchObject({
      status: 200,
      body: { updatedAt: endpoint.updatedAt.toISOString() },
    });
    expect(await auditOf(endpoint, 'changed')).toHaveLength(0);
  });

  test('the tolerance of a profile of its own follows', async () => {
    const endpoint = await hub.addEndpoint(companyId, inputOf['custom-hmac']);
    expect((await patch(endpoint, { toleranceSeconds: 45 })).body).toMatchObject({
      toleranceSeconds: 45,
      profile: { toleranceSeconds: 45 },
    });
  });

  test('tokens signed with the new keys of the partner are believed, and with the old ones no longer', async () => {
    const endpoint = await hub.addEndpoint(companyId, inputOf['workday-jwt']);
    expect(await isAccepted(hub, endpoint, { nothing: true })).toBe(true);
    const jwt = { ...jwtTrust, jwks: { keys: [newIssuer('RS256').jwk] } };
    expect((await patch(endpoint, { jwt })).status).toBe(200);
    expect(await isAccepted(hub, endpoint, { nothing: true })).toBe(false);
    expect(freshToken()).not.toBe('');
  });

  test.each([
    ['benevity-hmac', {}, '/body'],
    ['benevity-hmac', { reason: 'only' }, '/body'],
    ['benevity-hmac', { name: '' }, '/body/name'],
    ['benevity-hmac', { scheme: 'standard-webhooks' }, '/body/scheme'],
    ['benevity-hmac', { partner: 'goodera' }, '/body/partner'],
    ['benevity-hmac', { toleranceSeconds: 5 }, '/body/toleranceSeconds'],
    ['benevity-hmac', { expectedEverySeconds: 59 }, '/body/expectedEverySeconds'],
    ['benevity-hmac', { allowedNetworks: [] }, '/body/allowedNetworks'],
    ['benevity-hmac', { jwt: jwtTrust }, '/body/jwt'],
    ['workday-jwt', { jwt: { ...jwtTrust, jwksUrl: 'https://example.org/keys' } }, '/body/jwt/jwksUrl'],
    ['workday-jwt', { jwt: { issuer: 'i', audience: 'a', jwksUrl: 'http://127.0.0.1/' } }, '/body/jwt/jwksUrl'],
    ['goodera-unsigned', { allowedNetworks: null }, '/body/allowedNetworks'],
  ] as const)('%s refuses %j naming the field', async (scheme, body, pointer) => {
    const endpoint = await hub.addEndpoint(companyId, inputOf[scheme]);
    const refused = await patch(endpoint, body);
    expect(refused).toMatchObject({
      status: 400,
      body: { errors: expect.arrayContaining([expect.objectContaining({ pointer })]) },
    });
    expect(await auditOf(endpoint, 'changed')).toHaveLength(0);
  });

  test('a hint can be claimed by changing as often as by creating', async () => {
    const company = await hub.addCompany();
    const made = [];
    for (let n = 0; n <= endpointLimits.perHint; n += 1)
      made.push(await hub.addEndpoint(company, { partner: 'benevity' }));
    const answers = await Promise.all(made.map((one) => patch(one, { hint: 'org_limited' }, company)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(endpointLimits.perHint);
    expect(answers.find(({ status }) => status === 400)?.body.errors).toMatchObject([{ pointer: '/body/hint' }]);
  });

  test('what an endpoint received before it claimed a hint proves nothing about the claim', async () => {
    const victim = await hub.addEndpoint(await hub.addCompany(), { partner: 'benevity', hint: 'org_mine' });
    const stranger = await hub.addCompany();
    const claim = await hub.addEndpoint(stranger, { partner: 'benevity', hint: 'org_other' });
    for (const endpoint of [victim, claim]) await sendSigned(hub, endpoint, eventOf('benevity', newId()).body);
    await hub.impactIn.deps.matchedSecrets.flush();
    await patch(claim, { hint: 'org_mine' }, stranger);
    await hub.impactIn.deps.endpoints.reload();
    const found = hub.impactIn.deps.endpoints.findByHint('benevity', 'org_mine');
    expect(found.map(({ id, hasMatched }) => [id, hasMatched])).toEqual([
      [victim.id, true],
      [claim.id, false],
    ]);
  });

  test("another company's endpoint is absent", async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
    const stranger = await hub.addCompany();
    expect((await patch(endpoint, { name: 'x' }, stranger)).status).toBe(404);
    expect((await remove(endpoint, stranger)).status).toBe(404);
    expect(await isAccepted(hub, endpoint, endpoint.credentials)).toBe(true);
  });
});

describe('deleting an endpoint', () => {
  test('its address answers as an unknown one in every process, and what it received stays to be read', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'goodera', hint: 'project_gone' });
    const other = await openOther(hub);
    const event = eventOf('goodera', 'before it was deleted');
    const { receiptId } = (await sendSigned(hub, endpoint, event.body)).json<{ receiptId: string }>();
    expect(await remove(endpoint)).toMatchObject({
      status: 200,
      body: { id: endpoint.id, deletedAt: expect.any(String) },
    });
    const unknown = await sendSigned(hub, { ...endpoint, id: newId() }, event.body);
    const gone = await sendSigned(hub, endpoint, event.body);
    const comparable = (answer: typeof gone) => ({
      ...answer.json<Record<string, unknown>>(),
      requestId: '',
      instance: '',
    });
    expect([gone.statusCode, comparable(gone)]).toEqual([401, comparable(unknown)]);
    await expect.poll(() => isAccepted(other, endpoint, endpoint.credentials)).toBe(false);
    await hub.runJobs();
    expect((await read(hub, companyId, `/deliveries/${receiptId}`)).json()).toMatchObject({ endpointId: endpoint.id });
    expect((await read(hub, companyId, `/receipts/${receiptId}`)).statusCode).toBe(200);
    expect((await read(hub, companyId, `/endpoints/${endpoint.id}`)).statusCode).toBe(404);
    expect((await read(hub, companyId, '/endpoints?limit=100')).body).not.toContain(endpoint.id);
    for (const [method, path] of [
      ['PATCH', ''],
      ['DELETE', ''],
      ['POST', '/pause'],
      ['POST', '/rotate-secret'],
    ] as const) {
      const body = method === 'PATCH' ? { name: 'x' } : path === '/rotate-secret' ? {} : undefined;
      expect((await callEndpoints(hub, companyId, method, `/${endpoint.id}${path}`, body)).status).toBe(404);
    }
    expect(await auditOf(endpoint, 'deleted')).toHaveLength(1);
    await other.close();
  });

  test('no token is granted any more, and none that was granted is taken', async () => {
    const endpoint = await hub.addEndpoint(companyId, inputOf['workday-oauth']);
    expect(await isAccepted(hub, endpoint, endpoint.credentials)).toBe(true);
    await remove(endpoint);
    expect(await isAccepted(hub, endpoint, endpoint.credentials)).toBe(false);
  });

  test('frees its place among those the company can have, and its hint', async () => {
    const company = await hub.addCompany();
    const made = [];
    for (let n = 0; n < endpointLimits.perHint; n += 1)
      made.push(await hub.addEndpoint(company, { partner: 'benevity', hint: 'org_full' }));
    await expect(hub.addEndpoint(company, { partner: 'benevity', hint: 'org_full' })).rejects.toThrow('hint');
    await remove(made[0] ?? { id: '' }, company);
    await hub.addEndpoint(company, { partner: 'benevity', hint: 'org_full' });
  });
});
