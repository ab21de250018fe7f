/** The hub refused or does not answer: plain sentences, exit code 1. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
}

/** The command line is wrong: exit code 2. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError';
}
