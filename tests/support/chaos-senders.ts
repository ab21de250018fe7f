import { fetchAccessToken, makeEvent, signRequest, type PartnerName, type SchemeName } from '@impact-hub/impact-in';
import type { ChaosCompany, ChaosEndpoint } from './chaos-companies.ts';
import type { Installation } from './chaos-installation.ts';
import { isOpen, post, type Answer, type Ledger, type SentEvent } from './chaos-ledger.ts';
import { createRandom, type Random } from './chaos-random.ts';

const senderCount = 12;
/** Some 300 requests a second in all: two cores process them between the faults and are busy with it. */
const longestPauseMs = 60;
/** As long as nobody listens, or a dead hub would be sent far more than a living one. */
const pauseUnansweredMs = 150;
/** Events of one entity, so that the order of processing is exercised as well. */
const eventsPerEntity = 3;

type Receiver = { company: ChaosCompany; endpoint: ChaosEndpoint; credential: string };

const credentialOf = async (hub: Installation, endpoint: ChaosEndpoint): Promise<string> => {
  if ('secret' in endpoint) return endpoint.secret;
  if ('password' in endpoint) return `${endpoint.username}:${endpoint.password}`;
  return fetchAccessToken(`${hub.baseUrl}/oauth/token`, endpoint);
};

const send = (
  ledger: Ledger,
  url: string,
  { endpoint, credential }: Receiver,
  event: Pick<SentEvent, 'eventId' | 'body'>,
): Promise<Answer> => {
  const scheme = endpoint.scheme as SchemeName;
  const { body, eventId } = event;
  const { headers } = signRequest({ scheme, secret: credential, body, eventId, nowMs: Date.now() });
  return post(ledger, `${url}/webhooks/${endpoint.partner}/${endpoint.endpointId}`, headers, body);
};

const nameOf = ({ endpoint, eventId }: SentEvent): string => `${endpoint.scheme} ${eventId}`;

/** @returns whether the event is acknowledged now */
const note = (ledger: Ledger, event: SentEvent, sentAtMs: number, answer: Answer): boolean => {
  if (isOpen(answer)) {
    if (event.acknowledgements === 0) ledger.unanswered.add(event);
    return false;
  }
  const { receiptId, duplicate } = answer.body;
  if (answer.status !== 200 || receiptId === undefined) {
    ledger.wrongAnswers.push(`${nameOf(event)}: ${answer.status} ${JSON.stringify(answer.body)}`);
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

/** Other bytes under the id of an acknowledged event: answered, kept beside it, and never processed. */
const noteConflict = (ledger: Ledger, event: SentEvent, answer: Answer): boolean => {
  if (isOpen(answer)) return false;
  const { receiptId, duplicate } = answer.body;
  if (answer.status !== 200 || receiptId === undefined || duplicate !== true)
    ledger.wrongAnswers.push(`${nameOf(event)} with other bytes: ${answer.status} ${JSON.stringify(answer.body)}`);
  else event.conflictIds.add(receiptId);
  return true;
};

const newEvent = (
  ledger: Ledger,
  { company, endpoint }: Receiver,
  seed: string,
  about?: { correlationId: string; eventType: string },
): SentEvent => {
  const partner = endpoint.partner as PartnerName;
  const entity = Math.floor(ledger.events.length / eventsPerEntity);
  const made = makeEvent(partner, { seed, nowMs: Date.now(), ...(about ?? { correlationId: `entity_${entity}` }) });
  const event: SentEvent = {
    partner,
    company,
    endpoint,
    eventId: made.eventId,
    body: made.body,
    receiptIds: new Set(),
    acknowledgements: 0,
    saidDuplicate: 0,
    conflictIds: new Set(),
  };
  ledger.events.push(event);
  return event;
};

const withOtherBytes = ({ body }: SentEvent): Buffer =>
  Buffer.from(JSON.stringify({ ...(JSON.parse(body.toString()) as object), note: 'sent again with other bytes' }));

/** Of each partner, the event that says that a transaction has succeeded. */
const successTypes: Record<string, string> = {
  benevity: 'delivery.success',
  goodera: 'data.processed',
  workday: 'activity.updated',
};
/** So often a partner reports on a delivery that it has got, each once. */
const reportShare = 0.02;

/** The partner's webhook about a delivery that its API has taken. */
const newReport = (hub: Installation, ledger: Ledger, receivers: readonly Receiver[], seed: string) => {
  const taken = new Set(hub.standIns.records().map(({ transactionId }) => transactionId));
  const order = ledger.orders.find((each) => each.reportedBy === null && taken.has(each.transactionId));
  const receiver = receivers.find(
    ({ company, endpoint }) => company === order?.company && endpoint.partner === order.connection.partner,
  );
  if (order === undefined || receiver === undefined) return undefined;
  const eventType = successTypes[order.connection.partner] ?? '';
  order.reportedBy = newEvent(ledger, receiver, seed, { correlationId: order.transactionId, eventType });
  return order.reportedBy;
};

/** What a sender does next: mostly something new, up to three times at once, else what real partners do to a receiver. */
const nextEvents = (
  hub: Installation,
  ledger: Ledger,
  receivers: readonly Receiver[],
  seed: string,
  random: Random,
): SentEvent[] => {
  const choice = random.next();
  if (choice < 0.12 && ledger.acknowledged.length > 0) return [random.pick(ledger.acknowledged)];
  if (choice < 0.4 && ledger.unanswered.size > 0) return [random.pick([...ledger.unanswered])];
  const report = choice > 1 - reportShare ? newReport(hub, ledger, receivers, seed) : undefined;
  const event = report ?? newEvent(ledger, random.pick(receivers), seed);
  return Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => event);
};

const conflictShare = 0.03;

/**
 * Starts partners that send without end and at every process: new events, some of them several times at the same moment,
 * acknowledged ones again, unanswered ones once more, and now and then other bytes under a known id.
 */
export const startSenders = async (
  hub: Installation,
  ledger: Ledger,
  seed: number,
): Promise<{ stop(): Promise<void> }> => {
  const receivers: Receiver[] = [];
  for (const company of hub.companies)
    for (const endpoint of company.endpoints)
      receivers.push({ company, endpoint, credential: await credentialOf(hub, endpoint) });
  const receiverOf = new Map(receivers.map((receiver) => [receiver.endpoint.endpointId, receiver]));
  let stopped = false;

  const sendOnce = async (event: SentEvent, random: Random): Promise<boolean> => {
    const receiver = receiverOf.get(event.endpoint.endpointId);
    if (receiver === undefined) throw new Error('an event has no receiver');
    const sentAtMs = performance.now();
    return note(ledger, event, sentAtMs, await send(ledger, random.pick(hub.urls), receiver, event));
  };
  const sendConflict = async (random: Random): Promise<boolean> => {
    const event = random.pick(ledger.acknowledged);
    const receiver = receiverOf.get(event.endpoint.endpointId);
    if (receiver === undefined) throw new Error('an event has no receiver');
    const other = { eventId: event.eventId, body: withOtherBytes(event) };
    return noteConflict(ledger, event, await send(ledger, random.pick(hub.urls), receiver, other));
  };
  const run = async (sender: number): Promise<void> => {
    const random = createRandom(seed * 1_000 + sender);
    for (let turn = 0; !stopped; turn += 1) {
      const isConflict = random.next() < conflictShare && ledger.acknowledged.length > 0;
      const taken = isConflict
        ? [await sendConflict(random)]
        : await Promise.all(
            nextEvents(hub, ledger, receivers, `${seed} ${sender} ${turn}`, random).map((event) =>
              sendOnce(event, random),
            ),
          );
      const extraMs = taken.includes(true) ? 0 : pauseUnansweredMs;
      await new Promise((resolve) => setTimeout(resolve, extraMs + random.between(0, longestPauseMs)));
    }
  };
  const running = Array.from({ length: senderCount }, (_, sender) => run(sender));
  return {
    stop: async () => {
      stopped = true;
      await Promise.all(running);
    },
  };
};
