import { Option, type Command } from 'commander';
import { addWindowOptions, windowOf, type RecordOptions } from '../deliveries/delivery-options.ts';
import { UsageError } from '../hub-api/command-errors.ts';
import { goodId } from '../hub-api/good-id.ts';
import { hubCommand, type WithHub } from '../hub-api/hub-command.ts';
import type { HubClient } from '../hub-api/hub-client.ts';
import { note, printFields, printJson, printLine, printTable } from '../hub-api/print.ts';
import { receiptsPath, type Reverification } from './describe-receipt.ts';

type Options = RecordOptions & { outcome?: string; dryRun?: boolean };
type Page = { counts: Record<string, number>; data: Reverification[]; nextCursor: string | null };

/** So many lines are read; the rest is counted. */
const listed = 40;

const bodyOf = (ids: readonly string[], { outcome, ...options }: Options): object => {
  const window = windowOf(options, Date.now());
  const isWindow = [outcome, ...Object.values(window)].some((value) => value !== undefined);
  if (ids.length > 0) {
    if (isWindow) throw new UsageError('Give either ids of receipts or conditions, not both.');
    return { ids: ids.map((id) => goodId(id, 'receipt')) };
  }
  if (outcome === undefined || window.from === undefined)
    throw new UsageError('Say what to verify again: ids of receipts, or --outcome and a time by --last or --from.');
  return { ...window, outcome };
};

/** All pages of a window in one. */
const verify = async (hub: HubClient, body: object, dryRun: boolean): Promise<Page> => {
  const all: Page = { counts: {}, data: [], nextCursor: null };
  do {
    const cursor = all.nextCursor ?? undefined;
    const page: Page = await hub.call('POST', `${receiptsPath}/reverify`, { ...body, dryRun, cursor });
    for (const [result, count] of Object.entries(page.counts)) all.counts[result] = (all.counts[result] ?? 0) + count;
    all.data.push(...page.data);
    all.nextCursor = page.nextCursor;
  } while (all.nextCursor !== null);
  return all;
};

const print = ({ counts, data }: Page): void => {
  if (data.length === 0) return note('There is no such receipt.');
  printFields(Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)));
  printLine('');
  printTable(
    ['receipt', 'result', 'reason', 'first one'],
    data.slice(0, listed).map(({ receiptId, result, reason, originalId }) => [receiptId, result, reason, originalId]),
  );
  if (data.length > listed) note(`These are ${listed} of ${data.length}; see all with --json.`);
};

/** `hub receipts reverify`; ends with 1 when a receipt that was named is refused again. */
export const addReverify = (receipts: Command, withHub: WithHub): Command =>
  addWindowOptions(
    hubCommand(
      receipts,
      'reverify [receiptIds...]',
      'verify refused requests, or read quarantined events, again and process what is authentic and new',
      'hub receipts reverify --outcome rejected --last 24h --dry-run',
    ),
  )
    .addOption(new Option('--outcome <outcome>', 'of a time: these').choices(['rejected', 'quarantined']))
    .option('--dry-run', 'only say what would be taken')
    .action((ids: string[], options: Options) =>
      withHub(options, async (hub) => {
        const { dryRun = false } = options;
        const all = await verify(hub, bodyOf(ids, options), dryRun);
        if (options.json === true) printJson({ dryRun, ...all });
        else print(all);
        if (dryRun) note('Nothing was changed; run it without --dry-run to take them.');
        if (ids.length > 0 && (all.counts['refused'] ?? 0) > 0) process.exitCode = 1;
      }),
    );
