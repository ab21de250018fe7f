import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * For loops over bytes that others chose the number of: lets everything else that the process does go on, before more
 * than so many bytes are worked on in one turn of the event loop.
 *
 * @returns to be awaited before each piece, with its bytes; one that is larger than allowed has a turn of its own
 */
export const pauseEvery = (bytesPerTurn: number): ((bytes: number) => Promise<void>) => {
  let left = bytesPerTurn;
  return async (bytes) => {
    if (bytes > left && left < bytesPerTurn) {
      await nextTurn();
      left = bytesPerTurn;
    }
    left -= bytes;
  };
};
