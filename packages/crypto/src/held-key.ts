import type { KeyScope, KeyVersion } from './key-scope.ts';

/** An unwrapped data key in memory. Use `key` without awaiting in between: it may be erased at any await. */
export type HeldKey = {
  readonly scope: KeyScope;
  readonly id: KeyVersion;
  readonly key: Buffer;
  readonly loadedAtMs: number;
  erased: boolean;
};

/** Overwrites the key bytes. Copies that OpenSSL makes live for one operation and are cleansed by it. */
export const eraseKey = (held: HeldKey): void => {
  held.erased = true;
  held.key.fill(0);
};
