/** The ciphertext was not opened. Deliberately without a reason: one would help whoever tampers with ciphertext. */
export class DecryptionFailed extends Error {
  override readonly name = 'DecryptionFailed';
  constructor() {
    super('the ciphertext could not be decrypted');
  }
}

/** A fault of the installation's root key or of a stored key, for the operator; never caused by a ciphertext. */
export class KeyStoreError extends Error {
  override readonly name = 'KeyStoreError';
}

/** The sealer was kept longer than keys may stay in memory; open another one. */
export class SealerExpired extends Error {
  override readonly name = 'SealerExpired';
  constructor() {
    super('this sealer has expired; call openSealer for each batch of work instead of keeping one');
  }
}
