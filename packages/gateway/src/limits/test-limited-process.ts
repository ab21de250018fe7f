import { setImmediate as nextTurn } from 'node:timers/promises';
import { connectSql } from '@impact-hub/core';
import { limitedKey, openLimits } from './test-limits.ts';

/** A process of its own that asks as fast as it can, as the test tells it: `[redisUrl, systemUrl, load]`. */
export type Load = {
  keys: { companyId: string; keyId: string; perMinute: number; atOnce: number }[];
  /** A key is asked for until it has been refused and then, for so long, nothing was admitted. */
  quietMs: number;
};
export type Outcome = Record<string, { admitted: number; refused: number }>;

const [redisUrl = '', systemUrl = '', load = ''] = process.argv.slice(2);
const { keys, quietMs } = JSON.parse(load) as Load;
const sql = connectSql(systemUrl, { maxConnections: 1, applicationName: 'limited-process' });
const open = await openLimits(redisUrl, sql);

const askOnAndOn = async ({ companyId, keyId, perMinute, atOnce }: Load['keys'][number]) => {
  const principal = limitedKey(companyId, perMinute, keyId);
  const counts = { admitted: 0, refused: 0 };
  let lastAdmittedAtMs = performance.now();
  const ask = async (): Promise<void> => {
    while (counts.refused === 0 || performance.now() < lastAdmittedAtMs + quietMs) {
      try {
        await open.ask(principal);
        counts.admitted += 1;
        lastAdmittedAtMs = performance.now();
      } catch {
        counts.refused += 1;
        await nextTurn();
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, ask));
  return [keyId, counts] as const;
};

process.once('message', () => {
  void Promise.all(keys.map(askOnAndOn)).then(async (outcome) => {
    process.send?.(Object.fromEntries(outcome) satisfies Outcome);
    await open.close();
    await sql.end();
    process.disconnect();
  });
});
process.send?.('ready');
