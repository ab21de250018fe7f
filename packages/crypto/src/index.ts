export { createCrypto, type Crypto, type CryptoContext, type CryptoOptions } from './create-crypto.ts';
export { DecryptionFailed, KeyStoreError, SealerExpired } from './errors.ts';
export type { KeyScope, KeyVersion } from './key-scope.ts';
export { loadOrCreateRootKey } from './root-key-file.ts';
export type { Sealer } from './sealer.ts';
export { cryptoKey } from './tables.ts';
export { rootKeyIdOf, type RandomBytes } from './wrap-data-key.ts';
