import type { Database, Tx } from '@impact-hub/core';

/** What stands for the death of the process: the transaction it hits is rolled back, nothing else is done. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

/**
 * The database as a process sees it that dies: `afterCalls` uses of company transactions from now, one is cut off; with
 * `afterCommit` it has committed by then, and only its answer is lost. For tests.
 */
export const crashingDatabase = (db: Database, crash: { afterCalls: number; afterCommit: boolean }): Database => {
  let left = crash.afterCalls;
  const count = (): boolean => left-- === 0;
  const cutOff = (): void => {
    if (count() && !crash.afterCommit) throw new Crash('cut off');
  };
  const watched = (tx: Tx): Tx => ({
    ...tx,
    sql: new Proxy(tx.sql, {
      apply: (target, self, args) => {
        cutOff();
        return Reflect.apply(target, self, args) as unknown;
      },
      get: (target, name) => {
        if (name === 'unsafe') cutOff();
        return Reflect.get(target, name) as unknown;
      },
    }),
  });
  return {
    ...db,
    company: async (companyId, work) => {
      const before = left;
      const result = await db.company(companyId, async (tx) => {
        const value = await work(watched(tx));
        cutOff();
        return value;
      });
      if (crash.afterCommit && before >= 0 && left < 0) throw new Crash('the answer to the commit is lost');
      return result;
    },
  };
};
