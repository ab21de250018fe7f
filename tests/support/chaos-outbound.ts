import type { ApiFault } from '@impact-hub/impact-in';
import type { Installation } from './chaos-installation.ts';
import { isOpen, post, type Ledger, type OrderedDelivery } from './chaos-ledger.ts';
import { createRandom, type Random } from './chaos-random.ts';

const orderingCount = 3;
const longestPauseMs = 400;
const pauseUnansweredMs = 200;

/** What goes wrong at the partners and does not end a delivery. */
const faults: readonly ApiFault[] = [
  'resetBeforeCommit',
  'resetAfterCommit',
  'garbageAfterCommit',
  'error500',
  'error500AfterCommit',
  'unavailable503',
  'tooMany429',
  'expiredToken401',
];
const faultShare = 0.3;

const payload = { activity: 'Reading with children', hours: 1.5, occurredAt: '2026-03-01T12:00:00Z' };

const newOrder = (hub: Installation, ledger: Ledger, transactionId: string, random: Random): OrderedDelivery => {
  const company = random.pick(hub.companies);
  const connection = random.pick(company.connections);
  const order = { company, connection, transactionId, accepted: false, deliveryId: null, reportedBy: null };
  ledger.orders.push(order);
  return order;
};

/** @returns whether the hub has it now */
const place = async (hub: Installation, ledger: Ledger, order: OrderedDelivery, random: Random): Promise<boolean> => {
  const { company, connection, transactionId } = order;
  const headers = { 'x-api-key': company.apiKey, 'content-type': 'application/json' };
  const body = Buffer.from(JSON.stringify({ connectionId: connection.id, transactionId, payload }));
  const answer = await post(ledger, `${random.pick(hub.urls)}/api/v1/impact-in/deliveries`, headers, body);
  if (isOpen(answer)) return false;
  // The number is the company's own: whoever did not hear the answer asks again, and hears that it is taken.
  const isRepeated = answer.body.code === 'impact_in.transaction_conflict';
  if (answer.status !== 202 && !isRepeated)
    ledger.wrongAnswers.push(`delivery ${transactionId}: ${answer.status} ${JSON.stringify(answer.body)}`);
  order.accepted = true;
  order.deliveryId = answer.body.id ?? null;
  return true;
};

/** Starts companies that have events sent to partners whose APIs fail every third time. */
export const startOrdering = (hub: Installation, ledger: Ledger, seed: number): { stop(): Promise<void> } => {
  let stopped = false;
  const run = async (number: number): Promise<void> => {
    const random = createRandom(seed * 2_000 + number);
    for (let turn = 0; !stopped; turn += 1) {
      const order = newOrder(hub, ledger, `txn-${seed}-${number}-${turn}`, random);
      hub.standIns.inject(random.next() < faultShare ? random.pick(faults) : null);
      while (!(await place(hub, ledger, order, random)) && !stopped)
        await new Promise((resolve) => setTimeout(resolve, pauseUnansweredMs));
      await new Promise((resolve) => setTimeout(resolve, random.between(0, longestPauseMs)));
    }
  };
  const running = Array.from({ length: orderingCount }, (_, number) => run(number));
  return {
    stop: async () => {
      stopped = true;
      await Promise.all(running);
      hub.standIns.forgetFaults();
    },
  };
};
