import { Option, type Command } from 'commander';
import { pathOfKey } from './key-id.ts';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { parseDuration } from '../hub-api/parse-options.ts';
import { printFields, printJson, printLine, printTable, when } from '../hub-api/print.ts';

type Counts = { calls: number; clientErrors: number; serverErrors: number; rateLimited: number };
type Stats = {
  interval: 'hour' | 'day';
  keys: Record<string, number>;
  totals: Counts;
  series: (Counts & { at: string })[];
  topKeys: (Counts & { keyId: string; name: string })[];
};
const countHeadings = ['calls', 'client errors', 'server errors', 'rate-limited'];
const countsOf = ({ calls, clientErrors, serverErrors, rateLimited }: Counts): number[] => [
  calls,
  clientErrors,
  serverErrors,
  rateLimited,
];

type StatsOptions = CommonOptions & { last?: number; key?: string; interval?: string };

/** `hub keys stats` */
export const addStats = (keys: Command, withHub: WithHub): Command =>
  hubCommand(keys, 'stats', 'count the keys and their calls over time', 'hub keys stats --last 7d')
    .option('--last <duration>', 'how far back; 24h unless given, at most 92d', parseDuration)
    .option('--key <keyId>', 'only this key')
    .addOption(new Option('--interval <interval>', 'one row for each').choices(['hour', 'day']))
    .action((options: StatsOptions) =>
      withHub(options, async (hub) => {
        const to = new Date();
        const from = new Date(to.getTime() - (options.last ?? 86_400) * 1_000);
        const query = new URLSearchParams({ from: from.toISOString(), to: to.toISOString() });
        if (options.key !== undefined) query.set('keyId', pathOfKey(options.key).split('/').at(-1) ?? '');
        if (options.interval !== undefined) query.set('interval', options.interval);
        const stats = await hub.call<Stats>('GET', `/admin/api-keys/stats?${query.toString()}`);
        if (options.json === true) return printJson(stats);
        printFields(stats.keys);
        printLine('');
        const rows = stats.series.map((step) => [
          stats.interval === 'day' ? step.at.slice(0, 10) : when(step.at),
          ...countsOf(step),
        ]);
        printTable([stats.interval, ...countHeadings], [...rows, ['total', ...countsOf(stats.totals)]]);
        if (stats.topKeys.length === 0) return;
        printLine('');
        printTable(
          ['key id', 'name', ...countHeadings],
          stats.topKeys.map((key) => [key.keyId, key.name, ...countsOf(key)]),
        );
      }),
    );
