import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { post } from '../../replay/test-replays.ts';
import { eventOf, useTestHub, type TestEndpoint } from '../../test-hub.ts';
import { keepQuarantined, keepRejected, signedRequest } from '../test-kept.ts';

type Page = { data: { receiptId: string }[]; nextCursor: string | null };

const hub = await useTestHub();
const companyId = await hub.addCompany();
const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });

const quarantined = (to: TestEndpoint, seed: string): Promise<string> =>
  keepQuarantined(hub, to, signedRequest(to, eventOf('benevity', seed).body));
const dryRun = (body: object) => post(hub, companyId, '/receipts/reverify', { ...body, dryRun: true });

test('everything else goes on between one receipt and the next', async () => {
  const ids = [];
  for (let n = 0; n < 12; n += 1) ids.push(await quarantined(endpoint, `turn ${n}`));
  let turn = 0;
  const openedIn: number[] = [];
  const { crypto } = hub.impactIn.deps;
  const { unseal } = crypto;
  const spy = vi.spyOn(crypto, 'unseal').mockImplementation((sealed) => {
    openedIn.push(turn);
    return unseal(sealed);
  });
  let isDone = false;
  const working = dryRun({ ids }).finally(() => (isDone = true));
  while (!isDone) {
    await nextTurn();
    turn += 1;
  }
  spy.mockRestore();
  expect((await working).statusCode).toBe(200);
  expect(openedIn).toHaveLength(12);
  expect(new Set(openedIn).size).toBe(12);
});

test('a page ends where 32 MiB are together, a call with more than that by their ids is refused, and a large one alone is not', async () => {
  const place = await hub.addEndpoint(companyId, { partner: 'benevity' });
  const ids: string[] = [];
  for (let n = 0; n < 4; n += 1) ids.push(await quarantined(place, `large ${n}`));
  const window = { outcome: 'quarantined', endpointId: place.id, limit: 3 };
  await hub.owner`update impact_in_receipt set body_bytes = ${20 * 1_048_576} where id = any(${ids})`;
  const seen: string[] = [];
  let cursor: string | null = null;
  for (let n = 0; n < 4; n += 1) {
    const page: Page = (await dryRun({ ...window, ...(cursor === null ? {} : { cursor }) })).json();
    expect(page.data).toHaveLength(1);
    seen.push(...page.data.map(({ receiptId }) => receiptId));
    cursor = page.nextCursor;
  }
  expect(seen).toEqual(ids.toReversed());
  const refused = await dryRun({ ids: ids.slice(0, 2) });
  expect(refused.statusCode).toBe(400);
  expect(refused.json<{ errors: { pointer: string }[] }>().errors[0]?.pointer).toBe('/body/ids');
  expect((await dryRun({ ids: ids.slice(0, 1) })).statusCode).toBe(200);
});

test('of a refused receipt only what is kept counts, and of an accepted one nothing', async () => {
  const request = signedRequest(endpoint, Buffer.alloc(20_000, 'x'));
  const ids = [];
  for (let n = 0; n < 3; n += 1)
    ids.push((await keepRejected(hub, endpoint, request, { reason: 'signature_mismatch' })) ?? '');
  await hub.owner`update impact_in_receipt set body_bytes = ${20 * 1_048_576} where id = any(${ids})`;
  expect((await dryRun({ ids })).json<Page>().data).toHaveLength(3);
});
