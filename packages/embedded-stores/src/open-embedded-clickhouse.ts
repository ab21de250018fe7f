import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ClickHouseClient, ClickHouseClientConfigOptions } from '@clickhouse/client';
import { EmbeddedStoreError } from './embedded-store-error.ts';

/** The ClickHouse engine inside this process, behind the same client that talks to a ClickHouse server. */
export type EmbeddedClickHouse = {
  readonly client: ClickHouseClient;
  /** Ends the engine; running queries must have been awaited before. May be called more than once. */
  close(): Promise<void>;
};

const closeOnce = (client: ClickHouseClient): (() => Promise<void>) => {
  let closing: Promise<void> | undefined;
  return () => (closing ??= client.close());
};

const cannotOpen = (path: string, cause: unknown): EmbeddedStoreError => {
  return new EmbeddedStoreError(
    `The embedded ClickHouse engine cannot open ${path}: make sure that no other process uses the directory and that this is Linux (glibc) ` +
      `or macOS on x64 or arm64, or set CLICKHOUSE_URL to a ClickHouse server.`,
    { cause },
  );
};

/**
 * Opens chDB on a directory (created when missing) or in memory. The engine keeps one directory per process open at a
 * time, and one process per directory; `:memory:` clients of one process share their data.
 * @throws EmbeddedStoreError when the engine is missing on this platform or the directory is in use.
 */
export const openEmbeddedClickHouse = async (options: { dataDir: string }): Promise<EmbeddedClickHouse> => {
  const path = options.dataDir === ':memory:' ? ':memory:' : resolve(options.dataDir);
  if (path !== ':memory:') await mkdir(path, { recursive: true });
  let client: ClickHouseClient | undefined;
  try {
    // Loaded on demand: the engine maps several hundred megabytes that a hub with CLICKHOUSE_URL never needs.
    const [{ createClient }, { createChdbConnection }] = await Promise.all([
      import('@clickhouse/client'),
      import('chdb/connection'),
    ]);
    // Both sides implement one interface, but each from its own copy of the common package, so the compiler sees two.
    const connection = createChdbConnection({ path }) as unknown as NonNullable<
      ClickHouseClientConfigOptions['connection']
    >;
    client = createClient({ connection });
    await client.query({ query: 'SELECT 1', format: 'JSONEachRow' }).then((result) => result.json());
  } catch (cause) {
    await client?.close().catch(() => {});
    throw cannotOpen(path, cause);
  }
  return { client, close: closeOnce(client) };
};
