import { createFairQueue, type Owners } from '../inbox/fair-queue.ts';

/**
 * Does a piece of work when its turn comes.
 *
 * @param bytes that it is about, by which companies share the turns
 * @returns what the work does; what it throws is thrown
 */
export type WorkInTurns = <T>(owners: Owners, bytes: number, work: () => Promise<T>) => Promise<T>;

/**
 * For work that keeps the processor busy for milliseconds, on bytes that anybody may have sent: one piece at a time in a
 * process, companies in turns, and everything else goes on in between. What waits should hold little memory.
 */
export const createWorkInTurns = (): WorkInTurns => {
  const queue = createFairQueue<{ bytes: number; begin(): void }>();
  let isBusy = false;
  const beginNext = (): void => {
    const [next] = queue.take({ rows: 1, bytes: Number.MAX_SAFE_INTEGER });
    isBusy = next !== undefined;
    next?.begin();
  };
  return async (owners, bytes, work) => {
    await new Promise<void>((begin) => {
      queue.push(owners, { bytes, begin });
      if (!isBusy) beginNext();
    });
    try {
      return await work();
    } finally {
      setImmediate(beginNext);
    }
  };
};
