import { describe, expect, test } from 'vitest';
import { runChaos } from './support/chaos.ts';

const kills = 6;
/** Fixed, so that a failure can be repeated, and one of each kind; the soak (benchmarks/no-loss-soak.ts) takes any. */
const seed = 20_261_138;

describe('whatever is killed, no acknowledged webhook is lost and nothing is done twice, here or at a partner', () => {
  test(`${kills} kills of two processes, PostgreSQL and Redis under webhooks, orders and replays`, async () => {
    const report = await runChaos({ seed, kills, onProgress: (line) => process.stdout.write(`  ${line}\n`) });
    const { offenders, ...figures } = report;
    process.stdout.write(`  ${JSON.stringify(figures)}\n`);
    expect(offenders).toEqual([]);
    expect(figures.kills).toBe(kills);
    // Otherwise there was no load, and nothing was shown.
    expect(figures.acknowledged).toBeGreaterThan(150);
    expect(figures.duplicates).toBeGreaterThan(20);
    expect(figures.conflicts).toBeGreaterThan(0);
    expect(figures.replayed).toBeGreaterThan(10);
    expect(figures.outbound.effects).toBeGreaterThan(10);
    expect(figures.outbound.settled).toBeGreaterThanOrEqual(1);
    expect(figures.answers['none']).toBeGreaterThan(0);
  }, 150_000);
});
