import type { ClickHouseClient } from '@clickhouse/client';
import { changesKeptSeconds, defineModule, type Sql } from '@impact-hub/core';
import type { Redis } from 'ioredis';

export type StoresDeps = {
  systemSql: Sql;
  redis: Redis;
  warehouse(): Promise<ClickHouseClient>;
  usesWarehouse(): boolean;
};

/** The stores as a domain of their own: readiness, and the upkeep of core's tables. */
export const storesModule = defineModule<StoresDeps>({
  name: 'stores',
  checks: [
    {
      name: 'postgres',
      critical: true,
      run: async ({ systemSql }) => {
        await systemSql`select 1`;
      },
    },
    {
      name: 'redis',
      critical: false,
      run: async ({ redis }) => {
        await redis.ping();
      },
    },
    {
      name: 'clickhouse',
      critical: false,
      run: async ({ warehouse, usesWarehouse }) => {
        // The in-process engine takes 200 MB: a probe must not be what loads it.
        if (!usesWarehouse()) return;
        const client = await warehouse();
        const answer = await client.query({ query: 'SELECT 1', format: 'JSONEachRow' });
        await answer.json();
      },
    },
  ],
  schedules: [
    {
      name: 'stores.prune-changes',
      everySeconds: 600,
      run: async ({ systemSql }) => {
        await systemSql`delete from hub_change where at < now() - make_interval(secs => ${changesKeptSeconds})`;
      },
    },
  ],
});
