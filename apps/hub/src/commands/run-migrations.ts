import { createLogger } from '@impact-hub/core';
import { loadSettings } from '../config/load-settings.ts';
import { openStores } from '../stores/open-stores.ts';
import { prepareDatabase } from '../stores/prepare-database.ts';
import { openRootKey } from '../stores/root-key.ts';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Migrates and ends. Safe beside running hubs: one migrator at a time, forward only. */
export const runMigrations = async (environment: NodeJS.ProcessEnv): Promise<void> => {
  const settings = loadSettings(environment);
  const log = createLogger({ level: settings.HUB_LOG_LEVEL });
  const stores = await openStores(settings, log, say);
  try {
    await prepareDatabase(settings, stores.ownerUrl, await openRootKey(settings), say);
    say('The database schema is up to date.');
  } finally {
    await stores.stop();
  }
};
