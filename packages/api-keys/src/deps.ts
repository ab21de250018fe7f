import type { Clock, Database, Route } from '@impact-hub/core';
import type { LeakReports } from './leaks/leak-reports.ts';

/** What effective access needs to know of a route. */
export type RouteTableEntry = Pick<Route, 'method' | 'path' | 'operationId' | 'summary' | 'access' | 'environments'>;

export type ApiKeysDeps = {
  db: Database;
  clock: Clock;
  /** Every scope of every module, with its sentence. */
  scopeCatalogue: Readonly<Record<string, string>>;
  /** Every route of the hub; handed in by the composition. */
  routeTable: readonly RouteTableEntry[];
  leakReports: LeakReports;
};
