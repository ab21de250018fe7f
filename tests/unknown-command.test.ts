import { expect, test, vi } from 'vitest';
import { runHubCommand } from './support/hub-process.ts';

/** Every command is a process; several at once want their time on a busy machine. */
vi.setConfig({ testTimeout: 90_000 });

test('a command that is not there starts no hub: the nearest one is named, and mistakes end with 2', async () => {
  const [mistyped, fault, option, help] = await Promise.all([
    runHubCommand(['strat'], {}),
    runHubCommand(['partner-apis', '--faults', 'nothing'], {}),
    runHubCommand(['migrate', '--nothing'], {}),
    runHubCommand(['--help'], {}),
  ]);
  expect([mistyped.code, mistyped.stderr]).toEqual([2, expect.stringContaining('"strat"; did you mean start?')]);
  expect([fault.code, fault.stderr]).toEqual([2, expect.stringContaining('resetAfterCommit')]);
  expect([option.code, help.code]).toEqual([2, 0]);
});
