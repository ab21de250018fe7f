import { limitKeyOfIp } from '@impact-hub/core';
import type { KeyIdDirectory } from './key-id-directory.ts';
import { createMissLimiter } from './miss-limiter.ts';

export type LookUpLimits = {
  /** Seconds until this address may have this key id looked up; 0 when it may now. */
  secondsUntilAllowed(ip: string, keyId: string): Promise<number>;
  /** A look-up turned out wrong: nothing stored under the id, or something that the presented key is not. */
  recordMiss(ip: string, keyId: string, isStored: boolean): void;
};

/**
 * Bounds the reads that wrong keys cause, without junk from an address standing in the way of good keys from there.
 * Made-up key ids count against the address; when that is used up, ids known to exist are looked up all the same.
 * Wrong secrets count against the id they were tried on, from that address. Whoever knows many ids is bounded by a
 * third, wide count of the address.
 */
export const createLookUpLimits = (directory: KeyIdDirectory, nowMs: () => number): LookUpLimits => {
  const unknownIds = createMissLimiter({ burst: 60, refillPerSecond: 1, nowMs });
  const wrongSecretsOfId = createMissLimiter({ burst: 60, refillPerSecond: 1, nowMs });
  const wrongSecrets = createMissLimiter({ burst: 600, refillPerSecond: 10, nowMs });
  const pairOf = (address: string, keyId: string): string => `${address} ${keyId}`;
  return {
    secondsUntilAllowed: async (ip, keyId) => {
      const address = limitKeyOfIp(ip);
      const forSecrets = Math.max(
        wrongSecretsOfId.secondsUntilAllowed(pairOf(address, keyId)),
        wrongSecrets.secondsUntilAllowed(address),
      );
      if (forSecrets > 0) return forSecrets;
      const forUnknown = unknownIds.secondsUntilAllowed(address);
      return forUnknown === 0 || (await directory.has(keyId)) ? 0 : forUnknown;
    },
    recordMiss: (ip, keyId, isStored) => {
      const address = limitKeyOfIp(ip);
      if (!isStored) return unknownIds.recordMiss(address);
      wrongSecretsOfId.recordMiss(pairOf(address, keyId));
      wrongSecrets.recordMiss(address);
    },
  };
};
