import { connectSql } from '@impact-hub/core';
import { expect, test } from 'vitest';
import { injectFault } from './support/chaos-faults.ts';
import { installHub, ownerUrlOf } from './support/chaos-installation.ts';
import { createRandom } from './support/chaos-random.ts';
import { startCallers } from './support/idempotent-callers.ts';

/** Fixed, so that a failure can be repeated. */
const seed = 20_261_121;
const kills = 2;

test('PostgreSQL killed under callers who repeat themselves: every change is made exactly once', async () => {
  const hub = await installHub();
  try {
    const callers = startCallers({ urls: () => [hub.baseUrl], apiKey: hub.apiKey, seed, callerCount: 6 });
    const settled = async (): Promise<void> => {
      const from = callers.changes.length;
      while (callers.changes.length < from + 20) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    for (let kill = 0; kill < kills; kill += 1) {
      await settled();
      await injectFault('postgres', hub, createRandom(seed));
    }
    await settled();
    await callers.stop();
    const sql = connectSql(await ownerUrlOf(hub), { maxConnections: 1, applicationName: 'recount' });
    const made = await sql<{ name: string; times: number }[]>`
      select name, count(*)::int as times from api_key where name like 'wanted %' group by name`;
    await sql.end();
    expect(made.filter(({ times }) => times !== 1)).toEqual([]);
    expect(made.map(({ name }) => name).sort()).toEqual(callers.changes.map(({ name }) => name).sort());
    expect(callers.changes.filter(({ bodies }) => bodies.size !== 1)).toEqual([]);
    expect(callers.answers.get('503')).toBeGreaterThan(0);
  } finally {
    await hub.stop();
  }
}, 60_000);
