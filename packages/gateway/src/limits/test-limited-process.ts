import { setImmediate as nextTurn } from 'node:timers/promises';
import { connectSql } from '@impact-hub/core';
import { limitedKey, openLimits } from './test-limits.ts';

/** A process of its own that asks as fast as it can, as `tests` tell it: `[redisUrl, systemUrl, load]`. */
export type Load = { companyId: string; keys: [keyId: string, perMinute: number][]; forMs: number; atOnce: number };
export type Outcome = { admitted: Record<string, number>; refused: number };

const [redisUrl = '', systemUrl = '', load = ''] = process.argv.slice(2);
const { companyId, keys, forMs, atOnce } = JSON.parse(load) as Load;
const sql = connectSql(systemUrl, { maxConnections: 1, applicationName: 'limited-process' });
const open = await openLimits(redisUrl, sql);
const principals = keys.map(([keyId, perMinute]) => limitedKey(companyId, perMinute, keyId));

const run = async (): Promise<Outcome> => {
  const outcome: Outcome = { admitted: {}, refused: 0 };
  const endsAtMs = performance.now() + forMs;
  const askOnAndOn = async (index: number): Promise<void> => {
    const principal = principals[index % principals.length];
    if (principal === undefined) return;
    while (performance.now() < endsAtMs) {
      try {
        await open.ask(principal);
        outcome.admitted[principal.keyId] = (outcome.admitted[principal.keyId] ?? 0) + 1;
      } catch {
        outcome.refused += 1;
        await nextTurn();
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, (_, index) => askOnAndOn(index)));
  return outcome;
};

process.once('message', () => {
  void run().then(async (outcome) => {
    process.send?.(outcome);
    await open.close();
    await sql.end();
    process.disconnect();
  });
});
process.send?.('ready');
