import type { TestProject } from 'vitest/node';
import { startTestStores, type TestStores } from './stores.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    stores: TestStores;
  }
}

/** vitest's global set-up: one PostgreSQL and one Redis for the whole run. */
export default async (project: TestProject): Promise<() => Promise<void>> => {
  const { stores, stop } = await startTestStores();
  project.provide('stores', stores);
  return stop;
};
