import { pauseEvery } from '../pause-every.ts';

/** More than twelve secrets need in all ways with bodies of 16 KiB, which is all that is kept of refused ones; some 50 ms. */
export const maxHashedBytes = 24 * 1_048_576;
/** Some 2 ms, in which no other request is worked on. */
export const maxHashedBytesPerTurn = 1_048_576;
/** What a signature costs beside its bytes. */
const overheadBytes = 512;

/** What one explanation has left to spend: the bytes it is about are anybody's. */
export type Effort = {
  /**
   * Asks before this many bytes are hashed, and lets everything else go on every now and then.
   *
   * @returns false when they are too many; they must not be hashed then
   */
  spend(bytes: number): Promise<boolean>;
};

export const createEffort = (): Effort => {
  let left = maxHashedBytes;
  const pause = pauseEvery(maxHashedBytesPerTurn);
  return {
    spend: async (bytes) => {
      const cost = bytes + overheadBytes;
      if (cost > left || cost > maxHashedBytesPerTurn) return false;
      left -= cost;
      await pause(cost);
      return true;
    },
  };
};
