import { AsyncLocalStorage } from 'node:async_hooks';
import type { Tx } from './transaction.ts';

type Ambient = { tx: Tx; open: boolean; turn: Promise<unknown> };

/**
 * Lets work that opens transactions of its own become part of one that somebody around it has opened: what it would
 * have committed is then a savepoint there, and commits or vanishes with the whole.
 */
export const createAmbientTransaction = (inSavepoint: <T>(tx: Tx, work: (tx: Tx) => Promise<T>) => Promise<T>) => {
  const storage = new AsyncLocalStorage<Ambient>();

  const within = async <T>(tx: Tx, work: () => Promise<T>): Promise<T> => {
    const ambient: Ambient = { tx, open: true, turn: Promise.resolve() };
    try {
      return await storage.run(ambient, work);
    } finally {
      // Work that outlives its transaction (a timer, a batch) opens its own again.
      ambient.open = false;
    }
  };

  return {
    within,
    /** @returns undefined when no transaction of this company (null: of the system) is around the caller */
    join: <T>(companyId: string | null, work: (tx: Tx) => Promise<T>): Promise<T> | undefined => {
      const ambient = storage.getStore();
      if (ambient?.open !== true || ambient.tx.companyId !== companyId) return undefined;
      // Savepoints of one connection nest; side by side they take turns.
      const result = ambient.turn.then(() => inSavepoint(ambient.tx, (tx) => within(tx, () => work(tx))));
      ambient.turn = result.catch(() => undefined);
      return result;
    },
  };
};
