import { beforeAll, describe, expect, test } from 'vitest';
import { inputOf, jwtTrust } from '../../inbox/test-schemes.ts';
import { read, useTestHub, type TestEndpoint } from '../../test-hub.ts';
import { schemeNames } from '../../verification/profile.ts';
import { callEndpoints } from '../test-management.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();

const ping = (endpoint: { id: string }, body: object = {}, company = companyId) =>
  callEndpoints(hub, company, 'POST', `/${endpoint.id}/ping`, body);
const show = async ({ id }: { id: string }) => (await callEndpoints(hub, companyId, 'GET', `/${id}`)).body;
const isJwt = (scheme: string): boolean => scheme.endsWith('-jwt');

describe('a ping', () => {
  test.each(schemeNames.filter((scheme) => !isJwt(scheme)))(
    '%s: is signed with the own secret, verified and stored as a test, and has no other effect',
    async (scheme) => {
      const company = await hub.addCompany();
      const endpoint = await hub.addEndpoint(company, inputOf[scheme]);
      const metricsBefore = await hub.metrics.getSingleMetricAsString('impact_in_deliveries_total');
      const { status, body } = await ping(endpoint, {}, company);
      expect(status).toBe(200);
      expect(body).toMatchObject({ signed: true, accepted: true, reason: null, eventId: expect.any(String) });
      expect(endpoint.secrets.map(({ id }) => id)).toContain(body.matchedSecretId);
      expect(body.matchedSecretId).toBe(body.signedWithSecretId);
      expect(body.latencyMs).toBeGreaterThan(0);
      expect((await read(hub, company, `/receipts/${body.receiptId}`)).json()).toMatchObject({
        outcome: 'test',
        eventId: body.eventId,
        endpointId: endpoint.id,
        secretId: body.matchedSecretId,
      });
      expect(await hub.owner`select 1 from job where company_id = ${company}`).toHaveLength(0);
      await hub.runJobs();
      expect((await read(hub, company, '/deliveries')).json()).toMatchObject({ data: [] });
      expect((await read(hub, company, '/stats')).json()).toMatchObject({
        deliveries: { total: 0 },
        receipts: { total: 0, acceptedRatio: null },
      });
      expect(await hub.metrics.getSingleMetricAsString('impact_in_deliveries_total')).toBe(metricsBefore);
      await hub.impactIn.deps.matchedSecrets.flush();
      await hub.impactIn.deps.heardEndpoints.flush();
      const shown = (await callEndpoints(hub, company, 'GET', `/${endpoint.id}`)).body;
      expect([shown.lastMatchedSecretId, shown.lastReceivedAt]).toEqual([null, null]);
      const audited = await hub.owner`
        select 1 from audit_event where resource_id = ${endpoint.id} and type = 'impact_in.endpoint.pinged'`;
      expect(audited).toHaveLength(1);
    },
  );

  test('a custom profile that signs no time has its time in the payload field it names', async () => {
    const { profile } = inputOf['custom-hmac'];
    if (profile === undefined) throw new Error('there is a profile');
    const { timestampHeader: _, ...rest } = profile;
    const weak = { ...rest, signedTemplate: '{body}' as const, timestampFormat: 'none' as const };
    const endpoint = await hub.addEndpoint(companyId, {
      partner: 'benevity',
      scheme: 'custom-hmac',
      acceptWeak: true,
      profile: { ...weak, payloadTimestampField: 'sent_at' },
    });
    expect((await ping(endpoint)).body).toMatchObject({ accepted: true });
  });

  describe('by the secrets of a rotation', () => {
    let endpoint: TestEndpoint;
    let fresh: string;
    let old: string;
    beforeAll(async () => {
      endpoint = await hub.addEndpoint(companyId, { partner: 'goodera' });
      const rotated = await callEndpoints(hub, companyId, 'POST', `/${endpoint.id}/rotate-secret`, {});
      [fresh, old] = rotated.body.secrets.map(({ id }: { id: string }) => id);
    });

    test('takes the newest, or the one that is named', async () => {
      expect((await ping(endpoint)).body).toMatchObject({ accepted: true, matchedSecretId: fresh });
      expect((await ping(endpoint, { secretId: old })).body).toMatchObject({ accepted: true, matchedSecretId: old });
    });

    test('shows that one that has ended is refused', async () => {
      await callEndpoints(hub, companyId, 'POST', `/${endpoint.id}/secrets/${old}/retire`, {});
      expect((await ping(endpoint, { secretId: old })).body).toMatchObject({
        accepted: false,
        reason: 'signature_mismatch',
        signedWithSecretId: old,
        matchedSecretId: null,
        receiptId: null,
      });
    });
  });

  test('finds out that a stored secret cannot be opened', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
    const other = await hub.addEndpoint(companyId, { partner: 'benevity' });
    await hub.owner`update impact_in_endpoint_secret set ciphertext =
      (select ciphertext from impact_in_endpoint_secret where endpoint_id = ${other.id}) where endpoint_id = ${endpoint.id}`;
    expect((await ping(endpoint)).body).toMatchObject({ accepted: false, reason: 'secret_unreadable' });
  });

  test('of a paused endpoint says that it would be accepted but for that', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
    await callEndpoints(hub, companyId, 'POST', `/${endpoint.id}/pause`);
    expect((await ping(endpoint)).body).toMatchObject({
      accepted: false,
      reason: 'endpoint_paused',
      matchedSecretId: endpoint.secrets[0]?.id,
    });
  });

  test('comes from an allowed network, and says that this was not tried', async () => {
    const endpoint = await hub.addEndpoint(companyId, {
      partner: 'benevity',
      allowedNetworks: ['203.0.113.0/24', '2001:db8::/32'],
    });
    const { body } = await ping(endpoint);
    expect(body).toMatchObject({ accepted: true, checks: [{ check: 'network', passed: null }] });
    expect(body.checks[0].detail).toContain('203.0.113.0/24');
  });

  test('of an endpoint whose partner has the keys tells what was tried instead', async () => {
    const endpoint = await hub.addEndpoint(companyId, inputOf['workday-jwt']);
    const { body } = await ping(endpoint);
    expect(body).toMatchObject({ signed: false, accepted: null, receiptId: null });
    expect(body.checks.map(({ check, passed }: { check: string; passed: boolean }) => [check, passed])).toEqual([
      ['signature', null],
      ['keys', true],
      ['state', true],
      ['network', null],
    ]);
    const jwt = { issuer: 'i', audience: 'a', jwks: jwtTrust.jwks, thumbprints: ['x'.repeat(43)] };
    const none = await hub.addEndpoint(companyId, { ...inputOf['workday-jwt'], jwt });
    expect((await ping(none)).body.checks[1]).toMatchObject({ check: 'keys', passed: false });
  });

  test('is refused when a company has pinged very often, and then only to it', async () => {
    const company = await hub.addCompany();
    const [endpoint, theirs] = [
      await hub.addEndpoint(company, { partner: 'benevity' }),
      await hub.addEndpoint(companyId, { partner: 'benevity' }),
    ];
    hub.impactIn.deps.pings.spend(company, 59);
    expect((await ping(endpoint, {}, company)).status).toBe(200);
    expect(await ping(endpoint, {}, company)).toMatchObject({ status: 429, body: { code: 'impact_in.ping_limited' } });
    expect((await ping(theirs)).status).toBe(200);
  });

  test('is nobody else’s business, and bad input is named', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
    expect((await ping(endpoint, {}, await hub.addCompany())).status).toBe(404);
    expect(await ping(endpoint, { secretId: endpoint.id })).toMatchObject({
      status: 404,
      body: { code: 'impact_in.secret_not_found' },
    });
    expect(await ping(endpoint, { secretId: 'mine' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/body/secretId' }] },
    });
    expect((await show(endpoint)).state).toBe('active');
  });
});
