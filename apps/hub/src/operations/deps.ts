import type { BoundModule, Breakers, ChangeFeed, Clock, Database, MetricsRegistry } from '@impact-hub/core';
import type { ResponseCache } from '@impact-hub/gateway';
import type { Statistics } from './statistics.ts';

export type OperationsDeps = {
  db: Database;
  clock: Clock;
  metrics: MetricsRegistry;
  changes: Pick<ChangeFeed, 'isCurrent'>;
  breakers: Pick<Breakers, 'list' | 'reset'>;
  responseCache: Pick<ResponseCache, 'view'>;
  statistics: Statistics;
  version: string;
  modules(): readonly BoundModule[];
};
