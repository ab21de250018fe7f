import { createCompany } from '@impact-hub/accounts';
import { systemClock } from '@impact-hub/core';
import { controlledClock, createTestDatabase, keyPrincipal, type TestDatabase } from '@impact-hub/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openShop } from './test-shop.ts';

/** What the header promises, without locks, transactions or seals. */
const createModel = () => {
  const kept = new Map<string, { request: string; untilMs: number; answer: object }>();
  return {
    /** @returns the answer this request must get again, 'mismatch', or undefined when it has to run */
    expected: (place: string, request: string, nowMs: number): object | 'mismatch' | undefined => {
      const known = kept.get(place);
      if (known === undefined || known.untilMs <= nowMs) return undefined;
      return known.request === request ? known.answer : 'mismatch';
    },
    keep: (place: string, request: string, nowMs: number, answer: object): void =>
      void kept.set(place, { request, untilMs: nowMs + 86_400_000, answer }),
  };
};

const step = fc.record({
  caller: fc.nat(2),
  key: fc.constantFrom('a', 'b', '"a"', undefined),
  body: fc.nat(1),
  path: fc.constantFrom('/things', '/things/1'),
  status: fc.constantFrom(201, 201, 204, 400, 404, 409, 429, 500, 503),
  how: fc.constantFrom('throw', 'return'),
  waitMs: fc.constantFrom(0, 0, 1_000, 43_200_000, 86_399_000),
  /** Sent twice at the same moment. */
  doubled: fc.boolean(),
});

let database: TestDatabase;
let companyId: string;
beforeAll(async () => {
  database = await createTestDatabase();
  const by = { actor: { kind: 'system', id: 'test' } } as const;
  companyId = (await database.db.system((tx) => createCompany(tx, { clock: systemClock }, by, { name: 'C' }))).id;
});
afterAll(() => database.drop());

const effects = async (): Promise<number> => (await database.owner`select 1 from job`).length;

test('any sequence of requests has the answers and the number of effects that the model has', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 15 }), async (steps) => {
      await database.owner`truncate job, idempotency_record`;
      const clock = controlledClock();
      const shop = openShop({ db: database.db, clock, companyId });
      const model = createModel();
      const callers = [keyPrincipal(companyId, []), keyPrincipal(companyId, []), keyPrincipal(companyId, [])];
      let made = 0;
      for (const { caller, key, body, path, status, how, waitMs, doubled } of steps) {
        clock.advanceMs(waitMs);
        const request = { name: `thing ${body}`, status, how };
        const send = () =>
          shop.send(request, { url: path, caller: callers[caller]!, ...(key === undefined ? {} : { key }) });
        const place = `${caller} ${key?.replaceAll('"', '')}`;
        const fingerprint = JSON.stringify([path, request]);
        const expected = key === undefined ? undefined : model.expected(place, fingerprint, clock.nowMs());
        const answers = await Promise.all(doubled && key !== undefined ? [send(), send()] : [send()]);
        const told = answers.map(({ status: got, body: text }) => ({ status: got, text }));
        if (expected === 'mismatch') {
          expect(told.map((one) => one.status)).toEqual(told.map(() => 422));
        } else if (expected !== undefined) {
          expect(told).toEqual(told.map(() => expected));
        } else {
          // Of two at once one runs; the other waits its turn outside, gets the answer, or runs when nothing was stored.
          const ran = answers.filter(
            (one) => one.headers['x-idempotency-replayed'] === undefined && !one.body.includes('idempotency.in_flight'),
          );
          const isKept = ![400, 429, 500, 503].includes(status);
          if (isKept || answers.length === 1) expect(ran).toHaveLength(1);
          for (const one of ran) expect(one.status).toBe(status);
          const answer = { status, text: ran[0]?.body ?? '' };
          for (const one of answers)
            if (one.headers['x-idempotency-replayed'] === 'true') expect(one.body).toBe(answer.text);
          made += key !== undefined && status >= 500 ? 0 : ran.length;
          if (key !== undefined && isKept) model.keep(place, fingerprint, clock.nowMs(), answer);
        }
        expect(await effects()).toBe(made);
      }
      await shop.close();
    }),
    { numRuns: 60 },
  );
});
