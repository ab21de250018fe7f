/** The bootstrap cannot go on; `message` is one sentence for the person at the terminal that says what to do. */
export class BootstrapError extends Error {
  name = 'BootstrapError';
}
