import { expect, test } from 'vitest';
import { credentialOf, inputOf } from '../inbox/test-schemes.ts';
import { useTestHub, type TestEndpoint } from '../test-hub.ts';
import { schemeNames, type SchemeName } from '../verification/profile.ts';
import { faultsOf, type FaultName } from './inject-fault.ts';
import { simulatePartner } from './simulate-partner.ts';

const endpoints = new Map<SchemeName, TestEndpoint>();
const hub = await useTestHub();
const companyId = await hub.addCompany();
for (const scheme of schemeNames) endpoints.set(scheme, await hub.addEndpoint(companyId, inputOf[scheme]));

const fetchHub: typeof fetch = async (address, init) => {
  const { pathname, search } = new URL(String(address));
  const answer = await hub.server.inject({
    method: 'POST',
    url: `${pathname}${search}`,
    headers: init?.headers as Record<string, string>,
    payload: Buffer.from(init?.body as Uint8Array),
  });
  return new Response(answer.rawPayload.toString('utf8'), { status: answer.statusCode });
};

const cases = schemeNames.flatMap((scheme) =>
  faultsOf(scheme).map((fault): [SchemeName, FaultName] => [scheme, fault]),
);

test.each(cases)(
  'a simulated partner shows by %s what is wrong with %s, and the hub sees it',
  async (scheme, fault) => {
    const endpoint = endpoints.get(scheme);
    if (endpoint === undefined) throw new Error(`no endpoint of ${scheme}`);
    const { partner, credentials } = endpoint;
    const { profile } = inputOf[scheme];
    const query = 'urlToken' in credentials ? `?token=${credentials.urlToken}` : '';
    const simulation = await simulatePartner(
      `http://hub.test/webhooks/${partner}/${endpoint.id}${query}`,
      fault,
      {
        partner,
        scheme,
        secret: await credentialOf(hub, endpoint),
        seed: `${scheme} ${fault}`,
        nowMs: Date.now(),
        ...(profile === undefined ? {} : { profile }),
      },
      fetchHub,
    );
    expect(simulation).toMatchObject({ fault, asExpected: true });
  },
);

test('every scheme can be simulated, good and with faults', () => {
  for (const scheme of schemeNames) expect(faultsOf(scheme).length).toBeGreaterThan(7);
});
