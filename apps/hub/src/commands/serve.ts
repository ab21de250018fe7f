import { createLogger } from '@impact-hub/core';
import { loadSettings } from '../config/load-settings.ts';
import { startHub } from '../start-hub.ts';
import type { Target } from '../target.ts';
import { exitCodeOf, untilSignal } from './run-until-signal.ts';

const showProgress = (line: string): void => {
  process.stderr.write(`  ${line}\n`);
};

/** Runs the hub until it is told to end; every process it started is gone when this resolves. */
export const serve = async (environment: NodeJS.ProcessEnv, target: Target): Promise<void> => {
  const startedAtMs = performance.now();
  const settings = loadSettings(environment);
  const log = createLogger({ level: settings.HUB_LOG_LEVEL });
  const starting = new AbortController();
  let impatient: () => void = () => starting.abort();
  const asked = untilSignal(() => impatient());
  void asked.then(() => starting.abort());

  const hub = await startHub({ settings, target, log, onProgress: showProgress, signal: starting.signal });
  if (hub === undefined) {
    process.exit(exitCodeOf(await asked));
  }
  impatient = () => hub.stopNow();
  process.once('uncaughtException', (err) => {
    log.fatal({ event: 'process.crashed', err }, 'unexpected failure; ending the stores and the process');
    hub.stopNow();
  });
  const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1);
  showProgress(`ready after ${seconds} s at ${hub.url} (${target}); API docs at ${hub.url}/docs`);
  if (hub.credentialsFile !== undefined) showProgress(`keys and endpoints: ${hub.credentialsFile}`);

  const signal = await asked;
  showProgress(`${signal}: shutting down`);
  const clean = await hub.stop();
  showProgress(clean ? 'stopped' : 'stopped, but not cleanly; see the log');
  process.exitCode = clean ? 0 : 1;
  // A log that cannot be written any more (a closed terminal) must not keep the process.
  setTimeout(() => process.exit(), 1_000);
  log.flush(() => process.exit());
};
