/**
 * 200 kills (`--kills=<n>`) of two processes of the hub, PostgreSQL, its backends and Redis, and Redis emptied in
 * between, under continuous load of signed webhooks of two companies (up to three copies at once, at both processes,
 * and other bytes under known ids), of events to be sent to partners whose APIs fail every third time, and of replays.
 * Then everything is recounted through the public API, at the partners' stand-ins and in the database.
 * The schedule is random; `--seed=<n>` repeats one. The short form of this is tests/no-loss.test.ts.
 * Target: no acknowledged event lost, none stored, processed or sent twice, none dead.
 */
import { randomInt } from 'node:crypto';
import { runChaos } from '../tests/support/chaos.ts';
import { printTable } from './measure/describe-machine.ts';
import { printTargets } from './measure/targets.ts';
import type { Benchmark } from './run.ts';

const optionOf = (args: readonly string[], name: string): number | undefined => {
  const text = args.find((arg) => arg.startsWith(`--${name}=`))?.split('=', 2)[1];
  return text === undefined ? undefined : Number(text);
};

export const benchmark: Benchmark = {
  run: async ({ quick, args }) => {
    const kills = optionOf(args, 'kills') ?? (quick ? 10 : 200);
    const seed = optionOf(args, 'seed') ?? randomInt(2 ** 31);
    process.stdout.write(`seed ${seed}\n`);
    const report = await runChaos({ seed, kills, onProgress: (line) => process.stdout.write(`  ${line}\n`) });
    const { recoverySeconds, offenders } = report;
    process.stdout.write('\n');
    printTable(
      Object.entries({
        kills: report.kills,
        'times Redis was emptied': report.flushes,
        'events sent': report.sent,
        'events acknowledged': report.acknowledged,
        'events never acknowledged': report.unanswered,
        'receipts (of these duplicates, conflicts)': `${report.receipts} (${report.duplicates}, ${report.conflicts})`,
        'inbound deliveries, audit events': `${report.deliveries}, ${report.auditEvents}`,
        'outbound deliveries, effects at the partners': `${report.outbound.ordered}, ${report.outbound.effects}`,
        'calls that reached a partner, attempts in the log': `${report.outbound.calls}, ${report.outbound.attempts}`,
        'outbound deliveries settled by a webhook': report.outbound.settled,
        'replays, deliveries replayed': `${report.replays}, ${report.replayed}`,
        'answers by status': Object.entries(report.answers)
          .map(([status, count]) => `${status}: ${count}`)
          .join(', '),
        'seconds from a fault to the next acknowledgement': `median ${recoverySeconds.median.toFixed(2)}, longest ${recoverySeconds.longest.toFixed(2)}`,
        'seconds to finish the backlog': report.drainSeconds.toFixed(1),
        'seconds in all': report.seconds.toFixed(0),
      }).map(([what, value]) => ({ what, value })),
    );
    process.stdout.write('\n');
    for (const offender of offenders) process.stdout.write(`  ${offender}\n`);
    printTargets([{ what: 'broken promises', measured: offenders.length, target: 'below', limit: 1, unit: '' }]);
  },
};
