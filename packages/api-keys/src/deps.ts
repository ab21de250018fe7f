import type { Clock, Database, Outbox, Route } from '@impact-hub/core';
import type { LeakReports } from './leaks/leak-reports.ts';
import type { KeyWatchMetrics } from './usage/usage-metrics.ts';

/** What effective access needs to know of a route. */
export type RouteTableEntry = Pick<
  Route,
  'method' | 'path' | 'operationId' | 'summary' | 'access' | 'environments' | 'onlyFor'
>;

export type ApiKeysDeps = {
  db: Database;
  clock: Clock;
  /** Every scope of every module, with its sentence. */
  scopeCatalogue: Readonly<Record<string, string>>;
  /** Every route of the hub; handed in by the composition. */
  routeTable: readonly RouteTableEntry[];
  leakReports: LeakReports;
  /** Takes the event `api_key.reminder_due` `{keyId, reason}`. */
  outbox: Outbox;
  keyWatchMetrics: KeyWatchMetrics;
};
