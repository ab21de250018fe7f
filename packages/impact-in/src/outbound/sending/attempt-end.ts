import type { DeliveryStatus } from '../../tables.ts';
import { callErrorClasses } from './http-client.ts';

export const attemptErrorClasses = [
  ...callErrorClasses,
  'credentials',
  'rate_limited',
  'partner_error',
  'refused',
  'batch_refused',
  'redirected',
  'unreadable_answer',
  'lost',
  'internal',
] as const;
export type AttemptErrorClass = (typeof attemptErrorClasses)[number];

/** How one attempt at one delivery ended. */
export type AttemptEnd = {
  /** `unknown`: the partner may have received it, and nothing said what it made of it. */
  result: 'success' | 'failure' | 'unknown';
  /** What the partner says of the event, when it has taken it; null after a failure that may pass. */
  status: Exclude<DeliveryStatus, 'retrying'> | null;
  /** Whether trying again can help. */
  mayRetry: boolean;
  errorClass: AttemptErrorClass | null;
  /** For people; no secrets and no personal data. */
  error: string | null;
  httpStatus: number | null;
  partnerTransactionId: string | null;
};

export const failed = (
  errorClass: AttemptErrorClass,
  more: Partial<Omit<AttemptEnd, 'errorClass'>> & { error: string },
): AttemptEnd => ({
  result: 'failure',
  status: null,
  mayRetry: true,
  errorClass,
  httpStatus: null,
  partnerTransactionId: null,
  ...more,
});

/**
 * Of an attempt that has no end when its delivery is ended by something else. Its process may be gone, so nothing waits
 * for it; what it still notes replaces this.
 */
export const outlivedError = 'the delivery ended before an answer was noted; the partner may have received it';

/** The same end without anything that was taken from the partner's answer. */
export const bareEnd = (end: AttemptEnd): AttemptEnd => ({
  ...end,
  error: end.error === null ? null : 'what the partner answered could not be kept',
  httpStatus: null,
  partnerTransactionId: null,
});
