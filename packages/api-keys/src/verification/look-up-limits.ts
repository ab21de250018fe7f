import { limitKeyOfIp } from '@impact-hub/core';
import type { KeyIdDirectory } from './key-id-directory.ts';
import { createMissLimiter } from './miss-limiter.ts';

/**
 * What one process reads for ids that it does not know to exist, from however many addresses: so many at once, and so
 * many each second. A key made elsewhere is unknown only until the change feed has told of it.
 */
export const unknownIdReads = { burst: 200, perSecond: 20 } as const;

/** A look-up under way; `end` says what came of it, and whether anything is stored under the id. */
export type LookUp = { end(outcome: 'good' | 'wrong' | 'failed', isStored: boolean): void };

export type LookUpLimits = {
  /** @returns the seconds after which to try again when the look-up is not allowed now */
  begin(ip: string, keyId: string): Promise<LookUp | number>;
};

/**
 * Bounds the reads that wrong keys cause, without junk standing in the way of good keys. Made-up key ids count against
 * the address and against all addresses together, from before the read, so that a thousand at once count as a
 * thousand; when either is used up, ids known to exist are looked up all the same. Wrong secrets count against the id
 * they were tried on, from that address; whoever knows many ids is bounded by another, wide count of the address.
 */
export const createLookUpLimits = (directory: KeyIdDirectory, nowMs: () => number): LookUpLimits => {
  const unknownIds = createMissLimiter({ burst: 60, refillPerSecond: 1, nowMs });
  const unknownIdsOfAll = createMissLimiter({
    burst: unknownIdReads.burst,
    refillPerSecond: unknownIdReads.perSecond,
    nowMs,
  });
  const wrongSecretsOfId = createMissLimiter({ burst: 60, refillPerSecond: 1, nowMs });
  const wrongSecrets = createMissLimiter({ burst: 600, refillPerSecond: 10, nowMs });
  const all = 'all';

  const forKnown = (address: string, keyId: string): LookUp | number => {
    const pair = `${address} ${keyId}`;
    const seconds = Math.max(wrongSecretsOfId.secondsUntilAllowed(pair), wrongSecrets.secondsUntilAllowed(address));
    if (seconds > 0) return seconds;
    return {
      end: (outcome) => {
        if (outcome !== 'wrong') return;
        wrongSecretsOfId.take(pair);
        wrongSecrets.take(address);
      },
    };
  };
  const forUnknown = (address: string, keyId: string): LookUp => {
    unknownIds.take(address);
    unknownIdsOfAll.take(all);
    return {
      end: (outcome, isStored) => {
        // What there is, the first junk shows to be needed.
        if (outcome === 'wrong' && !isStored) return void directory.load();
        unknownIds.giveBack(address);
        unknownIdsOfAll.giveBack(all);
        if (!isStored) return;
        directory.add(keyId);
        const known = forKnown(address, keyId);
        if (typeof known !== 'number') known.end(outcome, isStored);
      },
    };
  };

  return {
    begin: async (ip, keyId) => {
      const address = limitKeyOfIp(ip);
      if (directory.has(keyId)) return forKnown(address, keyId);
      const seconds = (): number =>
        Math.max(unknownIds.secondsUntilAllowed(address), unknownIdsOfAll.secondsUntilAllowed(all));
      if (seconds() === 0) return forUnknown(address, keyId);
      await directory.load();
      if (directory.has(keyId)) return forKnown(address, keyId);
      return seconds() === 0 ? forUnknown(address, keyId) : seconds();
    },
  };
};
