import type { PartnerName } from '../verification/profile.ts';

/** What the hub takes from an authentic event, whichever partner sent it. */
export type PartnerEvent = {
  /** The partner's id of this one event, if it sends one: the first choice for recognising duplicates. */
  eventId: string | null;
  eventType: string;
  /** Ties the event to what it reports on, such as an outbound delivery's transaction id. */
  correlationId: string | null;
  /** Events with the same key are processed in the order of their receipt; null means in any order. */
  entityKey: string | null;
  status: 'pending' | 'success' | 'failed' | 'retrying';
  occurredAt: Date;
};

/** Where a payload departs from the schema. Says nothing of the values, which may be personal data. */
export type PayloadIssue = { path: string; message: string };

export type EventRead = { matches: true; event: PartnerEvent } | { matches: false; issues: PayloadIssue[] };

export type Partner = {
  name: PartnerName;
  title: string;
  eventTypes: readonly string[];
  /** Checks a parsed payload against the partner's events and reads it. Never throws. */
  read(payload: unknown): EventRead;
  /**
   * What a request to the bare route `/webhooks/{partner}` says about whose it is. Untrusted: it only chooses the
   * endpoints whose secrets are tried, and lies inside the signed body.
   */
  accountHint(payload: unknown): string | null;
};
