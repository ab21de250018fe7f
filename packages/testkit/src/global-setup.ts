import type { TestProject } from 'vitest/node';
import { startTestStores, type TestStores } from './stores.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    stores: TestStores;
  }
}

const interruptions = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** vitest's global set-up: one PostgreSQL and one Redis for the whole run, which end with it, also when it is interrupted. */
export default async (project: TestProject): Promise<() => Promise<void>> => {
  const { stores, stop } = await startTestStores();
  const stopFirst = (signal: NodeJS.Signals): void => void stop().finally(() => process.kill(process.pid, signal));
  for (const signal of interruptions) process.once(signal, stopFirst);
  project.provide('stores', stores);
  return async () => {
    for (const signal of interruptions) process.off(signal, stopFirst);
    await stop();
  };
};
