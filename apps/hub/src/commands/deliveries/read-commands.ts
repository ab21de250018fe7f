import type { DeliveryDetail } from '@impact-hub/impact-in';
import type { Command } from 'commander';
import { goodId } from '../hub-api/good-id.ts';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { parseCount } from '../hub-api/parse-options.ts';
import { note, noteMore, printFields, printJson, printLine, printTable, when, whenExactly } from '../hub-api/print.ts';
import { readPages } from '../hub-api/read-pages.ts';
import type { Sent } from '../hub-api/sent.ts';
import { addFilterOptions, filterOf, type FilterOptions } from './delivery-options.ts';

type Detail = Sent<DeliveryDetail>;
type Delivery = Omit<Detail, 'attemptLog' | 'sending'>;
/** Of inbound deliveries with `at`, of outbound ones with `startedAt`. */
type Attempt = {
  number: number;
  result: string;
  error: string | null;
  at?: string | undefined;
  startedAt?: string | undefined;
  endedAt?: string | null | undefined;
  httpStatus?: number | null | undefined;
  errorClass?: string | null | undefined;
  nextAttemptAt?: string | null | undefined;
  replayId?: string | null | undefined;
};

const path = '/api/v1/impact-in/deliveries';

type ListOptions = FilterOptions & { eventId?: string; limit: number };

/** `hub deliveries list` */
export const addList = (deliveries: Command, withHub: WithHub): Command =>
  addFilterOptions(
    hubCommand(deliveries, 'list', 'list deliveries, newest first', 'hub deliveries list --status failed --last 24h'),
  )
    .option('--event-id <id>', "only the event of this id of the partner's")
    .option('--limit <rows>', 'at most so many', parseCount, 50)
    .action((options: ListOptions) =>
      withHub(options, async (hub) => {
        const query = { ...filterOf(options, Date.now()), eventId: options.eventId };
        const found = await readPages<Delivery>(hub, path, query, options.limit);
        if (options.json === true) return printJson(found);
        if (found.data.length === 0) return note('There is no such delivery.');
        printTable(
          ['delivery', 'received', 'direction', 'partner', 'event', 'about', 'status', 'outcome', 'attempts', 'error'],
          found.data.map((row) => [
            row.id,
            when(row.receivedAt),
            row.direction,
            row.partner,
            row.eventType,
            row.correlationId,
            row.status,
            row.outcome,
            row.attempts,
            row.lastError,
          ]),
        );
        noteMore(found, options.limit);
      }),
    );

const fieldsOf = (delivery: Delivery): Record<string, unknown> => ({
  delivery: delivery.id,
  direction: delivery.direction,
  partner: delivery.partner,
  endpoint: delivery.endpointId,
  event: `${delivery.eventType} ${delivery.eventId ?? ''}`,
  about: delivery.correlationId,
  status: delivery.status,
  outcome: delivery.outcome,
  'settled by': delivery.settledBy,
  received: whenExactly(delivery.receivedAt),
  occurred: whenExactly(delivery.occurredAt),
  processed: whenExactly(delivery.processedAt),
  attempts: delivery.attempts,
  'last error': delivery.lastError,
});

const waits: Readonly<Record<string, string>> = {
  circuit: 'calls to the partner failed so often that the hub holds back; it tries again by itself',
  paused: 'the connection is paused; resume it with: hub connections resume',
  rate: "the partner's limit of calls is used up",
};

const fieldsOfSending = ({ sending }: Detail): Record<string, unknown> => {
  if (sending === null) return {};
  const { connectionId, transactionId, partnerTransactionId, nextAttemptAt, heldBy, heldUntil } = sending;
  return {
    connection: connectionId,
    transaction: transactionId,
    "the partner's": partnerTransactionId,
    'next attempt': whenExactly(nextAttemptAt),
    ...(heldBy === null ? {} : { 'waits because': waits[heldBy] ?? heldBy }),
    ...(heldUntil === null ? {} : { 'waits until': whenExactly(heldUntil) }),
  };
};

const printAttempts = (attempts: readonly Attempt[], isOutbound: boolean): void => {
  if (attempts.length === 0) return;
  printLine('');
  if (!isOutbound)
    return printTable(
      ['attempt', 'at', 'result', 'replay', 'error'],
      attempts.map(({ number, at, result, replayId, error }) => [
        number,
        whenExactly(at ?? null),
        result,
        replayId,
        error,
      ]),
    );
  printTable(
    ['attempt', 'began', 'ended', 'result', 'status', 'kind', 'error', 'next attempt'],
    attempts.map((attempt) => [
      attempt.number,
      whenExactly(attempt.startedAt ?? null),
      whenExactly(attempt.endedAt ?? null),
      attempt.result,
      attempt.httpStatus,
      attempt.errorClass,
      attempt.error,
      whenExactly(attempt.nextAttemptAt ?? null),
    ]),
  );
};

/** `hub deliveries show` */
export const addShow = (deliveries: Command, withHub: WithHub): Command =>
  hubCommand(
    deliveries,
    'show <deliveryId>',
    'show one delivery and its attempts',
    'hub deliveries show 01a1fd2a-43a6-75a0-ab21-6e9a3a717903',
  ).action((id: string, options: CommonOptions) =>
    withHub(options, async (hub) => {
      const delivery = await hub.call<Detail>('GET', `${path}/${goodId(id, 'delivery')}`);
      if (options.json === true) return printJson(delivery);
      printFields({ ...fieldsOf(delivery), ...fieldsOfSending(delivery) });
      printAttempts(delivery.attemptLog, delivery.direction === 'outbound');
    }),
  );
