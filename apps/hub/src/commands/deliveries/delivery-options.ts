import { Option, type Command } from 'commander';
import type { CommonOptions } from '../hub-api/hub-command.ts';
import { parseDuration, parseMoment } from '../hub-api/parse-options.ts';

/** Options by which what came in or went out is found. */
export type RecordOptions = CommonOptions & {
  partner?: string;
  endpoint?: string;
  correlationId?: string;
  eventType?: string;
  from?: string;
  to?: string;
  last?: number;
};

/** Options by which deliveries are found. */
export type FilterOptions = RecordOptions & { direction?: string; status?: string; outcome?: string };

/** Options for the partner, the endpoint and the time. */
export const addWindowOptions = (command: Command): Command =>
  command
    .option('--partner <partner>', 'only benevity, goodera or workday')
    .option('--endpoint <endpointId>', 'only what came in there')
    .addOption(
      new Option('--last <duration>', 'received within it, such as 24h').argParser(parseDuration).conflicts('from'),
    )
    .addOption(new Option('--from <moment>', 'received at or after, such as 2027-01-31').argParser(parseMoment))
    .addOption(new Option('--to <moment>', 'received before').argParser(parseMoment));

export const addFilterOptions = (command: Command): Command =>
  addWindowOptions(command)
    .addOption(new Option('--direction <direction>', 'only these').choices(['inbound', 'outbound']))
    .addOption(new Option('--status <status>', 'only these').choices(['pending', 'success', 'failed', 'retrying']))
    .addOption(
      new Option('--outcome <outcome>', 'only these; dead: processing or sending was given up').choices([
        'applied',
        'superseded',
        'waiting',
        'dead',
      ]),
    )
    .option('--event-type <type>', 'only events of this type')
    .option('--correlation-id <id>', 'only what reports on this, such as a transaction');

/** The fields of the hub's request; undefined for what was not asked for. */
export const windowOf = (options: RecordOptions, nowMs: number) => ({
  partner: options.partner,
  endpointId: options.endpoint,
  from: options.from ?? (options.last === undefined ? undefined : new Date(nowMs - options.last * 1_000).toISOString()),
  to: options.to,
});

/** The fields of the hub's request; undefined for what was not asked for. */
export const filterOf = (options: FilterOptions, nowMs: number) => ({
  ...windowOf(options, nowMs),
  direction: options.direction,
  status: options.status,
  outcome: options.outcome,
  eventType: options.eventType,
  correlationId: options.correlationId,
});
