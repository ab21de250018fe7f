import { connectSql, type Sql } from '@impact-hub/core';
import { injectFault, planFaults, type FaultName } from './chaos-faults.ts';
import { installEverything, ownerUrlOf, type Installation } from './chaos-installation.ts';
import { newLedger, type Ledger } from './chaos-ledger.ts';
import { startOrdering } from './chaos-outbound.ts';
import { createRandom, type Random } from './chaos-random.ts';
import { recount, type Recount } from './chaos-recount.ts';
import { startReplays } from './chaos-replays.ts';
import { startSenders } from './chaos-senders.ts';

export type ChaosOptions = {
  /** The same seed gives the same schedule; what each fault hits in the hub depends on the machine. */
  seed: number;
  /** How many processes to kill; Redis is emptied now and then on top. */
  kills: number;
  onProgress?(line: string): void;
};

export type ChaosReport = Recount & {
  seed: number;
  kills: number;
  flushes: number;
  sent: number;
  acknowledged: number;
  /** Never acknowledged, although sent at least once. */
  unanswered: number;
  /** Answers by status; `none` when the connection broke. */
  answers: Record<string, number>;
  seconds: number;
  drainSeconds: number;
  /** From a fault until an event sent after it was acknowledged. */
  recoverySeconds: { median: number; longest: number };
};

const recoveryTimeoutMs = 30_000;
const drainTimeoutMs = 120_000;
/** One fault in four hits the hub before it has recovered from the last one. */
const shareWithoutPause = 0.25;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** @throws Error when no event sent from now on is acknowledged in time */
const untilAcknowledging = async (ledger: Ledger, fault: FaultName): Promise<void> => {
  const startedAtMs = performance.now();
  while (ledger.lastAcknowledgedSendingMs < startedAtMs) {
    if (performance.now() - startedAtMs > recoveryTimeoutMs)
      throw new Error(`nothing was acknowledged within ${recoveryTimeoutMs / 1_000} s after the fault ${fault}`);
    await pause(20);
  }
};

type Tally = { kills: number; flushes: number; recoveriesMs: number[] };

/** Replays of each company in one run. */
const replayRounds = 3;

type Scene = { hub: Installation; ledger: Ledger; replays: ReturnType<typeof startReplays> };

const spreadFaults = async ({ hub, ledger, replays }: Scene, random: Random, options: ChaosOptions): Promise<Tally> => {
  const tally: Tally = { kills: 0, flushes: 0, recoveriesMs: [] };
  const plan = planFaults(options.kills, random);
  const faultsPerReplay = Math.ceil(plan.length / (replayRounds + 1));
  for (const [index, fault] of plan.entries()) {
    if (index > 0 && index % faultsPerReplay === 0) replays.begin();
    await injectFault(fault, hub, random);
    const injectedAtMs = performance.now();
    if (fault === 'flush') tally.flushes += 1;
    else tally.kills += 1;
    options.onProgress?.(
      `${fault === 'flush' ? 'emptied Redis' : `kill ${tally.kills}/${options.kills}: ${fault}`}, ` +
        `${ledger.acknowledged.length} events acknowledged, ${ledger.unanswered.size} unanswered`,
    );
    if (random.next() < shareWithoutPause) continue;
    await untilAcknowledging(ledger, fault);
    tally.recoveriesMs.push(performance.now() - injectedAtMs);
    await pause(random.between(100, 700));
  }
  await untilAcknowledging(ledger, 'hub');
  return tally;
};

/**
 * Waits until nothing is left that would still be done: jobs, replays, deliveries to partners. Pauses of minutes between
 * two attempts at a partner are cut short; a claim whose process was killed is given up after some seconds.
 */
const drain = async (hub: Installation, onProgress: ChaosOptions['onProgress']): Promise<void> => {
  const sql = connectSql(await ownerUrlOf(hub), { maxConnections: 1, applicationName: 'chaos-drain' });
  try {
    const startedAtMs = performance.now();
    for (let reported = -1; performance.now() - startedAtMs < drainTimeoutMs;) {
      await hurryOutbound(sql);
      const [row] = await sql<{ left: number }[]>`
        select (select count(*)::int from job where state <> 'dead')
             + (select count(*)::int from impact_in_outbound where state <> 'done')
             + (select coalesce(sum(greatest(selected - succeeded - failed - skipped, 1)), 0)::int
                from impact_in_replay where state in ('waiting', 'running')) as left`;
      const left = row?.left ?? 0;
      if (left === 0) return;
      if (reported === -1 || left < reported * 0.75) onProgress?.(`${left} things left to do`);
      reported = left;
      await pause(200);
    }
  } finally {
    await sql.end({ timeout: 2 });
  }
};

/** Of the two minutes a claim holds, so many seconds are left when the process is known to be dead. */
const abandonedClaimSeconds = 105;

const hurryOutbound = (sql: Sql) => sql`
  update impact_in_outbound set due_at = now()
  where (state = 'waiting' and due_at > now())
     or (state = 'sending' and due_at < now() + make_interval(secs => ${abandonedClaimSeconds}))`;

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/**
 * Runs two processes of a real hub under continuous load of signed webhooks, orders to send and replays while they and
 * their stores are killed, then stops the load, lets the hub finish and recounts what it has stored and done.
 *
 * @throws Error when the hub does not recover from a fault
 */
export const runChaos = async (options: ChaosOptions): Promise<ChaosReport> => {
  const startedAtMs = performance.now();
  const hub = await installEverything();
  try {
    const ledger = newLedger();
    const senders = await startSenders(hub, ledger, options.seed);
    const ordering = startOrdering(hub, ledger, options.seed);
    const replays = startReplays(hub, ledger);
    let tally: Tally;
    try {
      tally = await spreadFaults({ hub, ledger, replays }, createRandom(options.seed), options);
      await replays.allBegun();
    } finally {
      await Promise.all([senders.stop(), ordering.stop()]);
    }
    const stoppedAtMs = performance.now();
    await drain(hub, options.onProgress);
    const drainSeconds = (performance.now() - stoppedAtMs) / 1_000;
    const counted = await recount(hub, ledger);
    return {
      ...counted,
      seed: options.seed,
      kills: tally.kills,
      flushes: tally.flushes,
      sent: ledger.events.length,
      acknowledged: ledger.acknowledged.length,
      unanswered: ledger.unanswered.size,
      answers: Object.fromEntries(ledger.answers),
      seconds: (performance.now() - startedAtMs) / 1_000,
      drainSeconds,
      recoverySeconds: {
        median: medianOf(tally.recoveriesMs) / 1_000,
        longest: Math.max(0, ...tally.recoveriesMs) / 1_000,
      },
    };
  } finally {
    await hub.stop();
  }
};
