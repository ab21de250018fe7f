import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { eventOf, sendSigned, useTestHub } from '../test-hub.ts';
import { processReceipts } from './process-receipt.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();
const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });

const largeBytes = 50_000;
const receive = async (n: number): Promise<string> => {
  const event = { ...JSON.parse(eventOf('benevity', `large ${n}`).body.toString()), filler: 'x'.repeat(largeBytes) };
  return (await sendSigned(hub, endpoint, event)).json<{ receiptId: string }>().receiptId;
};

test('other work goes on between the large events of a batch', async () => {
  const ids: string[] = [];
  for (let n = 0; n < 20; n += 1) ids.push(await receive(n));
  let turn = 0;
  const readIn: number[] = [];
  const { parse } = JSON;
  const spy = vi.spyOn(JSON, 'parse').mockImplementation((text, reviver): unknown => {
    if (text.length >= largeBytes) readIn.push(turn);
    return parse(text, reviver);
  });
  const working = hub.db
    .company(companyId, (tx) => processReceipts(tx, hub.impactIn.deps, ids))
    .finally(() => {
      turn = -1;
    });
  while (turn >= 0) {
    await nextTurn();
    if (turn >= 0) turn += 1;
  }
  spy.mockRestore();
  expect(await working).toEqual(new Map());
  expect(readIn).toHaveLength(20);
  const inOneTurn = [...Map.groupBy(readIn, (each) => each).values()].map((each) => each.length);
  expect(Math.max(...inOneTurn)).toBeLessThanOrEqual(2);
});
