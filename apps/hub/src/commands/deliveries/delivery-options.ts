import { Option, type Command } from 'commander';
import type { CommonOptions } from '../hub-api/hub-command.ts';
import { parseDuration, parseMoment } from '../hub-api/parse-options.ts';

/** Options by which deliveries are found. */
export type FilterOptions = CommonOptions & {
  partner?: string;
  endpoint?: string;
  direction?: string;
  status?: string;
  correlationId?: string;
  from?: string;
  to?: string;
  last?: number;
};

export const addFilterOptions = (command: Command): Command =>
  command
    .option('--partner <partner>', 'only benevity, goodera or workday')
    .option('--endpoint <endpointId>', 'only what came in there')
    .addOption(new Option('--direction <direction>', 'only these').choices(['inbound', 'outbound']))
    .addOption(new Option('--status <status>', 'only these').choices(['pending', 'success', 'failed', 'retrying']))
    .option('--correlation-id <id>', 'only what reports on this, such as a transaction')
    .addOption(
      new Option('--last <duration>', 'received within it, such as 24h').argParser(parseDuration).conflicts('from'),
    )
    .addOption(new Option('--from <moment>', 'received at or after, such as 2027-01-31').argParser(parseMoment))
    .addOption(new Option('--to <moment>', 'received before').argParser(parseMoment));

/** The fields of the hub's request; undefined for what was not asked for. */
export const filterOf = (options: FilterOptions, nowMs: number) => ({
  partner: options.partner,
  endpointId: options.endpoint,
  direction: options.direction,
  status: options.status,
  correlationId: options.correlationId,
  from: options.from ?? (options.last === undefined ? undefined : new Date(nowMs - options.last * 1_000).toISOString()),
  to: options.to,
});
