/** The hub refused or does not answer: plain sentences, exit code 1. */
export class KeysError extends Error {
  override readonly name: string = 'KeysError';
}

/** The command line is wrong: exit code 2. */
export class UsageError extends KeysError {
  override readonly name = 'UsageError';
}
