import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { UsageError } from '../hub-api/command-errors.ts';
import type { HubClient } from '../hub-api/hub-client.ts';
import { goodId } from '../hub-api/good-id.ts';
import { hubCommand, type WithHub } from '../hub-api/hub-command.ts';
import { parseCount } from '../hub-api/parse-options.ts';
import { note, printFields, printJson, printLine, printTable, when } from '../hub-api/print.ts';
import { addFilterOptions, filterOf, type FilterOptions } from './delivery-options.ts';
import { printEnd, type Replay } from './describe-replay.ts';
import { printSkipped } from './replay-items.ts';
import { followReplay } from './follow-replay.ts';

type ReplayOptions = FilterOptions & {
  idsFrom?: string;
  failed?: boolean;
  rate?: number;
  includeSucceeded?: boolean;
  reason?: string;
  dryRun?: boolean;
  detach?: boolean;
};

const path = '/api/v1/impact-in/deliveries';
const nothingChosen = 'Say what to replay: ids of deliveries, --failed, or a time by --last or --from.';
const twoChosen = 'Give either ids of deliveries or conditions, not both.';

const readIds = async (ids: readonly string[], file: string | undefined): Promise<string[]> => {
  const read = async (): Promise<string> => {
    if (file === undefined) return '';
    if (file === '-') return text(process.stdin);
    return readFile(file, 'utf8').catch((cause: unknown) => {
      throw new UsageError(`The file of ids, ${file}, cannot be read.`, { cause });
    });
  };
  const listed = (await read()).split(/[\s,]+/).filter((id) => id !== '');
  return [...ids, ...listed].map((id) => goodId(id, 'delivery'));
};

/** Address and body of the request. @throws UsageError when it is not clear what to replay */
const requestOf = async (given: readonly string[], options: ReplayOptions): Promise<{ path: string; body: object }> => {
  const { rate: ratePerSecond, includeSucceeded, reason, dryRun } = options;
  const common = { includeSucceeded, reason, dryRun };
  const ids = await readIds(given, options.idsFrom);
  const filter = filterOf(options, Date.now());
  const hasFilter = Object.values(filter).some((value) => value !== undefined);
  if (ids.length > 0) {
    if (hasFilter || options.failed === true) throw new UsageError(twoChosen);
    if (ids.length === 1) return { path: `${path}/${ids[0]}/replay`, body: common };
    return { path: `${path}/bulk-replay`, body: { ids, ratePerSecond, ...common } };
  }
  if (options.failed === true)
    return { path: `${path}/retry-all-failed`, body: { ...filter, ratePerSecond, ...common } };
  if (filter.from === undefined) throw new UsageError(nothingChosen);
  return { path: `${path}/bulk-replay`, body: { ...filter, ratePerSecond, ...common } };
};

type DryRun = {
  selected: number;
  sample: {
    id: string;
    partner: string;
    eventType: string;
    correlationId: string | null;
    status: string;
    receivedAt: string;
  }[];
};

const printDryRun = ({ selected, sample }: DryRun): void => {
  printFields({ 'would be replayed': selected });
  if (sample.length === 0) return;
  printLine('');
  printTable(
    ['delivery', 'received', 'partner', 'event', 'about', 'status'],
    sample.map((row) => [row.id, when(row.receivedAt), row.partner, row.eventType, row.correlationId, row.status]),
  );
  if (selected > sample.length) note(`These are the oldest ${sample.length}.`);
};

const replay = async (hub: HubClient, ids: readonly string[], options: ReplayOptions): Promise<void> => {
  const { path: address, body } = await requestOf(ids, options);
  if (options.dryRun === true) {
    const counted = await hub.call<DryRun>('POST', address, body);
    if (options.json === true) printJson(counted);
    else printDryRun(counted);
    return;
  }
  const started = await hub.call<Replay>('POST', address, body);
  if (options.detach === true) {
    if (options.json === true) printJson(started);
    else printLine(started.id);
    note(`It is ${started.state}. See how far it is: hub deliveries replays show ${started.id} --follow`);
    return;
  }
  note(`Replay ${started.id} has been taken; it goes on when this command is ended.`);
  const ended = await followReplay(hub, started);
  const isNamed = ended.kind === 'one' || ended.kind === 'selection';
  if (options.json === true) printJson(ended);
  else {
    printEnd(ended);
    if (isNamed) await printSkipped(hub, ended);
  }
  if (ended.state !== 'done' || ended.failed > 0 || (isNamed && ended.skipped > 0)) process.exitCode = 1;
};

/** `hub deliveries replay` */
export const addReplay = (deliveries: Command, withHub: WithHub): Command =>
  addFilterOptions(
    hubCommand(
      deliveries,
      'replay [deliveryIds...]',
      'process or send deliveries again: by id, all that failed, or those of a time; shows the progress until it ends',
      'hub deliveries replay --failed --last 24h --dry-run',
    ).option('--ids-from <file>', 'file with ids of deliveries, - for standard input'),
  )
    .option('--failed', 'all whose status is failed')
    .option('--rate <deliveries>', 'at most so many a second; 100 unless given, at most 1000', parseCount)
    .option('--include-succeeded', 'send outbound deliveries again that succeeded, under the same idempotency key')
    .option('--reason <text>', 'kept with the replay and in the audit log')
    .option('--dry-run', 'only count what would be replayed, and show some of it')
    .option('--detach', 'print the id of the replay and do not wait for its end')
    .action((ids: string[], options: ReplayOptions) => withHub(options, (hub) => replay(hub, ids, options)));
