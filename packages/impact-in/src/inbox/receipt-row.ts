/** A receipt on its way into the database. */
export type ReceiptRow = {
  /** UUIDv7; its milliseconds are the time of receipt. */
  id: string;
  companyId: string;
  endpointId: string;
  partner: string;
  reason: string | null;
  eventId: string | null;
  eventType: string | null;
  correlationId: string | null;
  entityKey: string | null;
  secretId: string | null;
  requestId: string;
  bodyBytes: number;
  /** `performance.now()` at arrival. */
  arrivedAtMs: number;
  /** `performance.now()` at the answer, of a request that is stored later than it was answered. */
  answeredAtMs?: number;
  sealed: Buffer;
};

/** A receipt whose sender is proven: it takes part in recognising duplicates. */
export type AuthenticReceiptRow = ReceiptRow & {
  /** `test`: sent by the hub itself; stored like the others, and there is no job for it. */
  outcome: 'accepted' | 'quarantined' | 'test';
  /** SHA-256, 32 bytes. */
  dedupeKey: Buffer;
  /** SHA-256 of the raw body. */
  bodySha256: Buffer;
  traceparent: string | null;
};

/** How an authentic receipt was stored. */
export type StoredReceipt =
  | { kind: 'new'; receiptId: string }
  /** The same event with the same bytes; `receiptId` is the first one's. */
  | { kind: 'duplicate'; receiptId: string }
  /** The same event id with other bytes; stored beside the first one and not processed. */
  | { kind: 'conflict'; receiptId: string; originalId: string };

/** Columns of a receipt beside its sealed bytes, roughly. */
export const rowOverheadBytes = 700;

/** The time inside a UUIDv7 in Unix milliseconds (RFC 9562 §5.7). */
export const timeOfId = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
