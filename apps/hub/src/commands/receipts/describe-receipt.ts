import { goodId } from '../hub-api/good-id.ts';
import { whenExactly } from '../hub-api/print.ts';

export const receiptsPath = '/api/v1/impact-in/receipts';

/** What the hub says of a request that it received. */
export type Receipt = {
  id: string;
  receivedAt: string;
  endpointId: string;
  partner: string;
  outcome: string;
  reason: string | null;
  eventId: string | null;
  eventType: string | null;
  correlationId: string | null;
  secretId: string | null;
  requestId: string;
  originalId: string | null;
  bodyBytes: number;
  reverification?: Reverification | null;
};

export type Reverification = {
  receiptId: string;
  result: string;
  reason: string | null;
  originalId: string | null;
};

/** @throws UsageError when it is no id */
export const pathOfReceipt = (id: string, action = ''): string => `${receiptsPath}/${goodId(id, 'receipt')}${action}`;

/** What became of it when it was verified again, in a word or two. */
export const describeReverification = (verified: Reverification | null | undefined): string | null =>
  verified === null || verified === undefined
    ? null
    : [verified.result, verified.reason].filter((text) => text !== null).join(': ');

/** Names and values of a receipt for a person. */
export const fieldsOfReceipt = (receipt: Receipt): Record<string, unknown> => ({
  receipt: receipt.id,
  received: whenExactly(receipt.receivedAt),
  partner: receipt.partner,
  endpoint: receipt.endpointId,
  outcome: receipt.outcome,
  reason: receipt.reason,
  event: [receipt.eventType, receipt.eventId].filter((text) => text !== null).join(' '),
  about: receipt.correlationId,
  'proved by': receipt.secretId,
  request: receipt.requestId,
  'first one': receipt.originalId,
  'verified again': describeReverification(receipt.reverification),
  bytes: receipt.bodyBytes,
});
