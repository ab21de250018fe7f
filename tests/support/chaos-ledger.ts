import type { PartnerName } from '@impact-hub/impact-in';
import type { ChaosCompany, ChaosConnection, ChaosEndpoint } from './chaos-companies.ts';

/** One event as its partner knows it. */
export type SentEvent = {
  partner: PartnerName;
  company: ChaosCompany;
  endpoint: ChaosEndpoint;
  eventId: string;
  body: Buffer;
  /** Receipt ids of its 2xx answers; more than one is a fault of the hub. */
  receiptIds: Set<string>;
  acknowledgements: number;
  saidDuplicate: number;
  /** Receipt ids of the answers to other bytes under its id. */
  conflictIds: Set<string>;
};

/** One event as the company knows it that has it sent to a partner. */
export type OrderedDelivery = {
  company: ChaosCompany;
  connection: ChaosConnection;
  transactionId: string;
  /** Whether the hub said that it has it. */
  accepted: boolean;
  /** Id of the delivery, unless the answer that named it was lost. */
  deliveryId: string | null;
  /** The partner's webhook that reported on it. */
  reportedBy: SentEvent | null;
};

export type Ledger = {
  events: SentEvent[];
  acknowledged: SentEvent[];
  /** Sent, and the answer was 503 or none. */
  unanswered: Set<SentEvent>;
  orders: OrderedDelivery[];
  /** How often each answer came; `none` when the connection broke. */
  answers: Map<string, number>;
  /** Answers that no store's absence excuses. */
  wrongAnswers: string[];
  /** `performance.now()` of the last sending that was acknowledged. */
  lastAcknowledgedSendingMs: number;
};

export const newLedger = (): Ledger => ({
  events: [],
  acknowledged: [],
  unanswered: new Set(),
  orders: [],
  answers: new Map(),
  wrongAnswers: [],
  lastAcknowledgedSendingMs: 0,
});

/** Status 0 when the connection broke or nothing came in time. */
export type Answer = {
  status: number;
  body: { receiptId?: string; duplicate?: boolean; id?: string; code?: string };
};

const answerTimeoutMs = 10_000;

/** Sends and counts the answer. */
export const post = async (
  ledger: Ledger,
  url: string,
  headers: Record<string, string>,
  body: Buffer,
): Promise<Answer> => {
  const signal = AbortSignal.timeout(answerTimeoutMs);
  const answer = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body), signal })
    .then(async (response): Promise<Answer> => ({
      status: response.status,
      body: (await response.json()) as Answer['body'],
    }))
    .catch((): Answer => ({ status: 0, body: {} }));
  const name = answer.status === 0 ? 'none' : String(answer.status);
  ledger.answers.set(name, (ledger.answers.get(name) ?? 0) + 1);
  return answer;
};

/** Whether the sender knows nothing of what it sent, and has to send it again. */
export const isOpen = ({ status }: Answer): boolean => status === 0 || status === 503;
