import type { Database } from '@impact-hub/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { apiFaultNames } from '../../simulators/partner-apis/api-faults.ts';
import { partnerApiNames } from '../partner-apis.ts';
import { useStage, type DeliveryDetail } from '../test-outbound.ts';
import { findDue } from './find-due.ts';
import { sendCall } from './send-call.ts';

// Short, because a partner that never answers is one of the faults; what is cut off too early is only one more.
const stage = await useStage({ hub: { outbound: { random: () => 0.5, http: { timeoutMs: 150 } } } });

class Killed extends Error {}

/** A database whose process dies at its n-th transaction: before it, or after its commit. */
const dyingAt = (db: Database, transaction: number, afterCommit: boolean): Database => {
  let left = transaction;
  return {
    ...db,
    company: async (companyId, work) => {
      left -= 1;
      if (left > 0) return db.company(companyId, work);
      if (afterCommit) await db.company(companyId, work);
      throw new Killed();
    },
  };
};

/** Sends until nothing is open; the process may die once per round, as planned. */
const run = async (deaths: readonly { transaction: number; afterCommit: boolean }[]): Promise<void> => {
  for (let round = 0; round < 60; round += 1) {
    stage.hub.breakers.reset();
    await stage.hurry();
    await stage.expireLeases();
    const due = await findDue(stage.hub.db.systemSql);
    if (due.length === 0) return;
    const death = deaths[round];
    const db = death === undefined ? stage.hub.db : dyingAt(stage.hub.db, death.transaction, death.afterCommit);
    for (const target of due)
      await sendCall({ ...stage.deps, db }, target, new AbortController().signal).catch((error: unknown) => {
        if (!(error instanceof Killed)) throw error;
      });
  }
  throw new Error('it does not end');
};

const mayHaveArrived = ({ result, errorClass }: DeliveryDetail['attemptLog'][number]): boolean =>
  result === 'unknown' || errorClass === 'partner_error';

test('whatever partners, networks and processes do, every delivery has one effect or has honestly failed', async () => {
  const scenario = fc.record({
    api: fc.constantFrom(...partnerApiNames),
    count: fc.integer({ min: 1, max: 4 }),
    faults: fc.array(fc.option(fc.constantFrom(...apiFaultNames), { freq: 4 }), { maxLength: 14 }),
    deaths: fc.array(fc.record({ transaction: fc.integer({ min: 1, max: 4 }), afterCommit: fc.boolean() }), {
      maxLength: 6,
    }),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ api, count, faults, deaths }) => {
      const companyId = await stage.hub.addCompany();
      const connectionId = await stage.connect(companyId, api);
      const ids: string[] = [];
      for (let n = 0; n < count; n += 1) ids.push(await stage.send(companyId, connectionId));
      stage.partner.forgetFaults();
      stage.partner.inject(...faults);
      await run(deaths);
      for (const id of ids) {
        const found = await stage.detail(companyId, id);
        const log = found.attemptLog;
        const effects = stage.partner.records().filter(({ idempotencyKey }) => idempotencyKey === id);
        expect(effects.length).toBeLessThanOrEqual(1);
        expect(log.map(({ number }) => number)).toEqual(log.map((_, index) => index + 1));
        expect(found.attempts).toBe(log.length);
        expect(log.every(({ result }) => result !== 'started')).toBe(true);
        expect(log.every(({ result, endedAt }) => endedAt !== null || result === 'unknown')).toBe(true);
        if (found.status === 'failed') {
          expect(found.outcome).toBe('dead');
          expect(log.some(({ result }) => result === 'success')).toBe(false);
          // An effect that nobody knows of is admitted to be possible.
          if (effects.length === 1) expect(log.some(mayHaveArrived)).toBe(true);
        } else {
          expect(['success', 'pending']).toContain(found.status);
          expect(effects).toHaveLength(1);
          expect(found.sending?.partnerTransactionId).toBe(effects[0]?.id);
          expect(log.at(-1)?.result).toBe('success');
        }
      }
    }),
    { numRuns: 20, endOnFailure: true },
  );
}, 120_000);
