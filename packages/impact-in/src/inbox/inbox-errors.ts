/** Why a receipt was not stored in time. It may still have been committed: the sender's repetition is recognised then. */
export type InboxFault = 'full' | 'deadline' | 'database' | 'stopping';

export class InboxUnavailable extends Error {
  override readonly name = 'InboxUnavailable';
  readonly fault: InboxFault;
  constructor(fault: InboxFault, cause?: unknown) {
    super(`the inbox did not take the receipt: ${fault}`, { cause });
    this.fault = fault;
  }
}

/** This row, and no other of its batch, cannot be stored as it is (SQLSTATE class 22 or 23). */
export class UnstorableRow extends Error {
  override readonly name = 'UnstorableRow';
  constructor(cause: unknown) {
    super('the database refuses a value of this row', { cause });
  }
}
