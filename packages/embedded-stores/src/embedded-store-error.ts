/**
 * An embedded store cannot start or go on. `message` is one plain sentence for the person at the terminal that says
 * what to do (log lines may follow it on their own lines); `cause` keeps the technical reason for the log.
 */
export class EmbeddedStoreError extends Error {
  override readonly name = 'EmbeddedStoreError';
}
