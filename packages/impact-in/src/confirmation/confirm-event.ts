import type { PartnerEvent } from '../partners/partner.ts';
import type { PartnerName } from '../verification/profile.ts';

export type EventQuestion = { companyId: string; partner: PartnerName; event: PartnerEvent };

export type EventConfirmation =
  /** The partner's own record says the same. */
  | { outcome: 'confirmed' }
  /** The partner knows no such record, or says otherwise; `reason` is for people and holds nothing secret. */
  | { outcome: 'denied'; reason: string }
  /** The company has no connection to the partner's API. */
  | { outcome: 'no_connection' }
  /** No answer now; asked again later. */
  | { outcome: 'unreachable'; reason: string };

/**
 * Asks the partner's API, by the company's connection, whether an event that nobody signed is true: for Goodera the
 * record of `event.correlationId`. Has to end within some seconds, and may be asked about the same event again.
 */
export type ConfirmEvent = (question: EventQuestion) => Promise<EventConfirmation>;
