import { fetchAccessToken, makeEvent, signRequest, type PartnerName, type SchemeName } from '@impact-hub/impact-in';
import type { ChaosEndpoint, Installation } from './chaos-installation.ts';
import { createRandom, type Random } from './chaos-random.ts';

/** One event as its partner knows it. */
export type SentEvent = {
  partner: PartnerName;
  endpoint: ChaosEndpoint;
  eventId: string;
  body: Buffer;
  /** Receipt ids of its 2xx answers; more than one is a fault of the hub. */
  receiptIds: Set<string>;
  acknowledgements: number;
  saidDuplicate: number;
};

export type Ledger = {
  events: SentEvent[];
  acknowledged: SentEvent[];
  /** Sent, and the answer was 503 or none. */
  unanswered: Set<SentEvent>;
  /** How often each answer came; `none` when the connection broke. */
  answers: Map<string, number>;
  /** Answers that no store's absence excuses. */
  wrongAnswers: string[];
  /** `performance.now()` of the last sending that was acknowledged. */
  lastAcknowledgedSendingMs: number;
};

export type Senders = { ledger: Ledger; stop(): Promise<void> };

const senderCount = 12;
/** Some 300 requests a second in all: two cores process them between the faults and are busy with it. */
const longestPauseMs = 60;
/** As long as nobody listens, or a dead hub would be sent far more than a living one. */
const pauseUnansweredMs = 150;
const answerTimeoutMs = 10_000;
/** Events of one entity, so that the order of processing is exercised as well. */
const eventsPerEntity = 3;

type Answer = { status: number; body: { receiptId?: string; duplicate?: boolean } };

const post = async (event: SentEvent, credential: string): Promise<Answer | 'none'> => {
  const { body, eventId, endpoint } = event;
  const scheme = endpoint.scheme as SchemeName;
  const { headers } = signRequest({ scheme, secret: credential, body, eventId, nowMs: Date.now() });
  try {
    const signal = AbortSignal.timeout(answerTimeoutMs);
    const response = await fetch(endpoint.url, { method: 'POST', headers, body: new Uint8Array(body), signal });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  } catch {
    return 'none';
  }
};

/** @returns whether the event is acknowledged now */
const note = (ledger: Ledger, event: SentEvent, sentAtMs: number, answer: Answer | 'none'): boolean => {
  const name = answer === 'none' ? answer : String(answer.status);
  ledger.answers.set(name, (ledger.answers.get(name) ?? 0) + 1);
  if (answer === 'none' || answer.status === 503) {
    if (event.acknowledgements === 0) ledger.unanswered.add(event);
    return false;
  }
  const { receiptId, duplicate } = answer.body;
  if (answer.status !== 200 || receiptId === undefined) {
    ledger.wrongAnswers.push(`${event.endpoint.scheme} ${event.eventId}: ${name} ${JSON.stringify(answer.body)}`);
    return false;
  }
  event.receiptIds.add(receiptId);
  if (event.acknowledgements === 0) ledger.acknowledged.push(event);
  event.acknowledgements += 1;
  if (duplicate === true) event.saidDuplicate += 1;
  ledger.unanswered.delete(event);
  ledger.lastAcknowledgedSendingMs = Math.max(ledger.lastAcknowledgedSendingMs, sentAtMs);
  return true;
};

const newEvent = (ledger: Ledger, endpoint: ChaosEndpoint, seed: string): SentEvent => {
  const partner = endpoint.partner as PartnerName;
  const entity = Math.floor(ledger.events.length / eventsPerEntity);
  const made = makeEvent(partner, { seed, nowMs: Date.now(), correlationId: `entity_${entity}` });
  const event: SentEvent = {
    partner,
    endpoint,
    eventId: made.eventId,
    body: made.body,
    receiptIds: new Set(),
    acknowledgements: 0,
    saidDuplicate: 0,
  };
  ledger.events.push(event);
  return event;
};

/** What a sender does next: mostly something new, else what real partners do to a receiver. */
const nextSendings = (ledger: Ledger, endpoint: ChaosEndpoint, seed: string, random: Random): SentEvent[] => {
  const choice = random.next();
  if (choice < 0.15 && ledger.acknowledged.length > 0) return [random.pick(ledger.acknowledged)];
  if (choice < 0.4 && ledger.unanswered.size > 0) return [random.pick([...ledger.unanswered])];
  const event = newEvent(ledger, endpoint, seed);
  return choice > 0.95 ? [event, event] : [event];
};

const credentialOf = async (hub: Installation, endpoint: ChaosEndpoint): Promise<string> =>
  'secret' in endpoint ? endpoint.secret : fetchAccessToken(`${hub.baseUrl}/oauth/token`, endpoint);

/**
 * Starts partners that send without end: new events, acknowledged ones again, unanswered ones once more, and now and
 * then one event twice at the same moment.
 */
export const startSenders = async (hub: Installation, seed: number): Promise<Senders> => {
  const ledger: Ledger = {
    events: [],
    acknowledged: [],
    unanswered: new Set(),
    answers: new Map(),
    wrongAnswers: [],
    lastAcknowledgedSendingMs: 0,
  };
  const partners = await Promise.all(
    hub.endpoints.map(async (endpoint) => ({ endpoint, credential: await credentialOf(hub, endpoint) })),
  );
  const credentials = new Map(partners.map(({ endpoint, credential }) => [endpoint.endpointId, credential]));
  let stopped = false;

  const run = async (sender: number): Promise<void> => {
    const random = createRandom(seed * 1_000 + sender);
    for (let turn = 0; !stopped; turn += 1) {
      const { endpoint } = random.pick(partners);
      const sendings = nextSendings(ledger, endpoint, `${seed} ${sender} ${turn}`, random);
      const taken = await Promise.all(
        sendings.map(async (event) => {
          const sentAtMs = performance.now();
          return note(ledger, event, sentAtMs, await post(event, credentials.get(event.endpoint.endpointId) ?? ''));
        }),
      );
      const extraMs = taken.includes(true) ? 0 : pauseUnansweredMs;
      await new Promise((resolve) => setTimeout(resolve, extraMs + random.between(0, longestPauseMs)));
    }
  };
  const running = Array.from({ length: senderCount }, (_, sender) => run(sender));
  return {
    ledger,
    stop: async () => {
      stopped = true;
      await Promise.all(running);
    },
  };
};
