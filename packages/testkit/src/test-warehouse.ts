import { openEmbeddedClickHouse, type EmbeddedClickHouse } from '@impact-hub/embedded-stores';

/**
 * The real ClickHouse engine, in this process and in memory. One at a time per test file: the engine binds one data
 * directory per process. Call `close` in `afterAll`.
 */
export const createTestWarehouse = (): Promise<EmbeddedClickHouse> => openEmbeddedClickHouse({ dataDir: ':memory:' });
