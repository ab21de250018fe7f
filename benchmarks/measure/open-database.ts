import { connectDatabase, connectSql, type Database, type Sql } from '@impact-hub/core';
import { loadSettings } from '../../apps/hub/src/config/load-settings.ts';
import { prepareDatabase } from '../../apps/hub/src/stores/prepare-database.ts';
import { openRootKey } from '../../apps/hub/src/stores/root-key.ts';
import type { BenchStores } from './start-stores.ts';

/** The database of the stores as a hub opens it, for measurements inside this process. */
export const openDatabase = async ({ settings, ownerUrl }: BenchStores): Promise<{ db: Database; rootKey: Buffer }> => {
  const loaded = loadSettings(settings);
  const rootKey = await openRootKey(loaded);
  const urls = await prepareDatabase(loaded, ownerUrl, rootKey, () => undefined);
  return { db: connectDatabase({ ...urls, maxConnections: 8 }), rootKey };
};

/** One connection as the owner of the tables, for counting what is stored: of much, that takes its time. */
export const openOwnerSql = ({ ownerUrl }: BenchStores): Sql =>
  connectSql(ownerUrl, { maxConnections: 1, applicationName: 'bench', statementTimeoutMs: 120_000 });
