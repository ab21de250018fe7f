/** How a call ended: with a value or by throwing. */
export type Ended<T> = { value: T } | { error: unknown };

export type CallOutcome = 'success' | 'failure' | 'cancel';

/** Whether an answer's status blames the dependency: it is broken (5xx) or asks to be left alone (429). */
export const isFailureStatus = (status: number): boolean => status === 429 || status >= 500;

const statusOf = (thing: unknown): number | undefined => {
  if (typeof thing !== 'object' || thing === null) return undefined;
  const { status, statusCode } = thing as { status?: unknown; statusCode?: unknown };
  if (typeof status === 'number') return status;
  return typeof statusCode === 'number' ? statusCode : undefined;
};

/** Judges by the status, where a value or error has one; else errors are failures, save that the caller gave up. */
export const outcomeOf = <T>(ended: Ended<T>, isFailure?: (ended: Ended<T>) => boolean): CallOutcome => {
  if (isFailure !== undefined) return isFailure(ended) ? 'failure' : 'success';
  const status = statusOf('error' in ended ? ended.error : ended.value);
  if (status !== undefined) return isFailureStatus(status) ? 'failure' : 'success';
  if (!('error' in ended)) return 'success';
  return ended.error instanceof Error && ended.error.name === 'AbortError' ? 'cancel' : 'failure';
};
