import type { PartnerName } from '../verification/profile.ts';
import type { OutboundEvent } from './impact-event.ts';

/** How a call proves who makes it. */
export type PartnerAuth =
  /** The key in a header and, with `signatureHeader`, the hexadecimal HMAC-SHA256 of the body in another. */
  | { kind: 'api_key'; header: string; signatureHeader?: string }
  /**
   * Client credentials (RFC 6749 §4.4) at `tokenPath`; the client names itself by HTTP Basic or in the form. Refresh
   * tokens are used where the partner gives them out.
   */
  | { kind: 'oauth'; tokenPath: string; client: 'basic' | 'form' }
  /** UsernameToken with PasswordText in the envelope (WS-Security 1.0). */
  | { kind: 'wsse' };

/** Names of an answer's fields, the first one present counts; nested ones are written with dots. */
export type AnswerFields = {
  transactionId: readonly string[];
  status: readonly string[];
  reason: readonly string[];
};

/** The calls per minute that a partner allows, and how many of them may follow each other at once. */
export type CallRate = { requestsPerMinute: number; burst: number };

/** One partner's API as data. `{tenant}` and `{transactionId}` in paths are filled in, percent-encoded. */
export type PartnerApi = {
  partner: PartnerName;
  title: string;
  format: 'json' | 'soap';
  auth: PartnerAuth;
  path: string;
  /** Further headers of every call. */
  headers: Readonly<Record<string, string>>;
  /** Carries the delivery's id, so that a repetition has no second effect. */
  idempotencyHeader: string | null;
  /** Names of the event's fields in the partner's body; what is not listed is not sent. */
  fields: Readonly<Partial<Record<keyof OutboundEvent, string>>>;
  /** Several events in one call: `{[recordsField]: [record, …]}`, answered by `{[answerField]: [answer, …]}`. */
  batch?: { path: string; maxRecords: number; recordsField: string; answerField: string };
  answer: AnswerFields;
  rate: CallRate;
  /** Headers that tell how many calls are left, and when there are more: in seconds from now or of the Unix clock. */
  rateHeaders?: { remaining: string; reset: string };
  /** Where a record can be read again, with the same authentication. */
  recordPath?: string;
  /** Element and namespace of a SOAP request. */
  soap?: { action: string; namespace: string; request: string };
};
