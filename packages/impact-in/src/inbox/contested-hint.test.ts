import { newId } from '@impact-hub/core';
import { describe, expect, test } from 'vitest';
import { orderCandidates } from '../endpoints/order-candidates.ts';
import { eventOf, sendSigned, useTestHub } from '../test-hub.ts';

const hub = await useTestHub();

/** Claims as they may stand in the database from before a company was limited. */
const claimInBulk = (companyId: string, hint: string, count: number) =>
  hub.owner`insert into impact_in_endpoint (id, company_id, partner, name, scheme, hint)
    select gen_random_uuid(), ${companyId}, 'benevity', 'Claim', 'benevity-hmac', ${hint} from generate_series(1, ${count}::int)`;

const sendToBare = (endpoint: Parameters<typeof sendSigned>[1], hint: string, seed: string) =>
  sendSigned(
    hub,
    endpoint,
    { ...eventOf('benevity', seed).payload, organization_id: hint },
    {
      url: '/webhooks/benevity',
    },
  );

describe('a hint that several companies claim', () => {
  test('one company cannot crowd out another, however many endpoints it has', async () => {
    const attacker = await hub.addCompany();
    await claimInBulk(attacker, 'org_crowded', 400);
    const victim = await hub.addEndpoint(await hub.addCompany(), { partner: 'benevity', hint: 'org_crowded' });
    await hub.impactIn.deps.endpoints.reload();
    expect((await sendToBare(victim, 'org_crowded', 'crowded')).statusCode).toBe(200);
    expect(await hub.metrics.metrics()).toContain('impact_in_contested_hints_total{partner="benevity"} 1');
  });

  test('an endpoint that has received before is tried before those of any number of later companies', async () => {
    const victim = await hub.addEndpoint(await hub.addCompany(), { partner: 'benevity', hint: 'org_many' });
    expect((await sendToBare(victim, 'org_many', 'first')).statusCode).toBe(200);
    await hub.impactIn.deps.matchedSecrets.flush();
    for (let n = 0; n < 300; n += 1) await claimInBulk(newId(), 'org_many', 1);
    await hub.impactIn.deps.endpoints.reload();
    expect((await sendToBare(victim, 'org_many', 'second')).statusCode).toBe(200);
  });
});

test('candidates take turns by company: proven companies first, then the earliest claim', () => {
  const claim = (id: string, companyId: string, hasMatched = false) => ({
    id,
    companyId,
    hasMatched,
    claimedAtMs: 0,
  });
  const ordered = orderCandidates([
    claim('1', 'late'),
    claim('0', 'early'),
    claim('2', 'late'),
    claim('3', 'proven'),
    claim('4', 'proven', true),
    claim('5', 'late'),
  ]);
  expect(ordered.map(({ id }) => id)).toEqual(['4', '0', '1', '3', '2', '5']);
});
