import { describe, expect, test } from 'vitest';
import { useTestHub } from '../test-hub.ts';
import { openEndpointDirectory } from './endpoint-directory.ts';
import { endpointLimits } from './endpoint-limits.ts';
import type { Endpoint } from './endpoint.ts';
import { postEndpoint } from './test-management.ts';

const hub = await useTestHub();

const create = (companyId: string, body: object = {}) =>
  postEndpoint(hub, companyId, { partner: 'benevity', name: 'One', ...body });
const countOf = async (companyId: string): Promise<number> =>
  (await hub.owner`select 1 from impact_in_endpoint where company_id = ${companyId}`).length;

describe('limits of a company', () => {
  test('a company can claim one hint only so many times, however fast it asks; others are not affected', async () => {
    const [one, other] = [await hub.addCompany(), await hub.addCompany()];
    const answers = await Promise.all(
      Array.from({ length: endpointLimits.perHint + 3 }, () => create(one, { hint: 'org_limit' })),
    );
    const refused = answers.filter(({ statusCode }) => statusCode !== 201);
    expect(refused).toHaveLength(3);
    for (const answer of refused)
      expect(answer.json()).toMatchObject({
        status: 400,
        code: 'request.invalid',
        errors: [{ pointer: '/body/hint' }],
      });
    expect(await countOf(one)).toBe(endpointLimits.perHint);
    expect((await create(one, { hint: 'org_limit', partner: 'goodera' })).statusCode).toBe(201);
    expect((await create(other, { hint: 'org_limit' })).statusCode).toBe(201);
  });

  test('a company can have only so many endpoints, and is told what to do', async () => {
    const companyId = await hub.addCompany();
    await hub.owner`insert into impact_in_endpoint (id, company_id, partner, name, scheme)
      select gen_random_uuid(), ${companyId}, 'benevity', 'x', 'benevity-hmac'
      from generate_series(1, ${endpointLimits.perCompany - 1}::int)`;
    const answers = await Promise.all([create(companyId), create(companyId)]);
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, 409]);
    const refused = answers.find(({ statusCode }) => statusCode === 409);
    expect(refused?.json()).toMatchObject({ code: 'impact_in.too_many_endpoints' });
    expect(await countOf(companyId)).toBe(endpointLimits.perCompany);
  });
});

test('endpoints with one hint are indexed in linear time', async () => {
  const indexMs = async (count: number): Promise<number> => {
    const endpoints = Array.from(
      { length: count },
      (_, n) =>
        ({ id: `${n}`, companyId: `${n % 100}`, partner: 'benevity', state: 'active', hint: 'same' }) as Endpoint,
    );
    const startedAtMs = performance.now();
    const directory = await openEndpointDirectory({
      loader: { load: async () => endpoints },
      changes: { subscribe: () => undefined },
      onError: () => undefined,
    });
    const tookMs = performance.now() - startedAtMs;
    expect(directory.findByHint('benevity', 'same')).toHaveLength(count);
    await directory.stop();
    return tookMs;
  };
  // In turns, and the best of each: a busy machine slows single runs, never the fastest of them.
  const [few, many]: [number[], number[]] = [[], []];
  for (let round = 0; round < 5; round += 1) {
    few.push(await indexMs(5_000));
    many.push(await indexMs(40_000));
  }
  // Eight times as many; quadratic would be sixty-four times as long.
  expect(Math.min(...many) / Math.min(...few)).toBeLessThan(30);
});
