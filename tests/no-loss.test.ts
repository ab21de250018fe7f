import { describe, expect, test } from 'vitest';
import { runChaos } from './support/chaos.ts';

const kills = 24;
/** Fixed, so that a failure can be repeated; the soak (benchmarks/no-loss-soak.ts) takes another one each time. */
const seed = 20_261_121;

describe('whatever is killed, no acknowledged webhook is lost and none is processed twice', () => {
  test(`${kills} kills of the hub, PostgreSQL and Redis under load`, async () => {
    const report = await runChaos({ seed, kills, onProgress: (line) => process.stdout.write(`  ${line}\n`) });
    const { offenders, ...figures } = report;
    process.stdout.write(`  ${JSON.stringify(figures)}\n`);
    expect(offenders).toEqual([]);
    expect(figures.kills).toBe(kills);
    // Otherwise there was no load, and nothing was shown.
    expect(figures.acknowledged).toBeGreaterThan(500);
    expect(figures.duplicates).toBeGreaterThan(50);
    expect(figures.answers['none']).toBeGreaterThan(0);
  }, 150_000);
});
