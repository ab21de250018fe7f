import { createMetrics, systemClock, type Database, type Sql } from '@impact-hub/core';
import { createApiKeyVerifier, type ApiKeyVerifierOptions } from './api-key-verifier.ts';

/** A feed that the test itself moves. */
const manualFeed = () => {
  const subscribers: ((key: string) => void)[] = [];
  let current = true;
  return {
    subscribe: (_topic: string, onChange: (key: string) => void) => void subscribers.push(onChange),
    isCurrent: () => current,
    tell: (keyId: string) => subscribers.forEach((onChange) => onChange(keyId)),
    setCurrent: (value: boolean) => {
      current = value;
    },
  };
};

/** The system role's client, counting statements and, when told to, holding their results back. */
const watchedSql = (sql: Sql) => {
  const watch = { queries: 0, hold: undefined as Promise<void> | undefined };
  const watched = new Proxy(sql, {
    apply: (target, _self, args: Parameters<Sql>) => {
      const query = Reflect.apply(target, undefined, args) as Promise<unknown>;
      if (!Array.isArray(args[0]) || !('raw' in args[0])) return query;
      watch.queries += 1;
      const { hold } = watch;
      return hold === undefined ? query : query.then(async (rows) => (await hold, rows));
    },
  });
  return { watch, sql: watched };
};

/** A verifier of its own for one test, over a manual feed unless told otherwise. */
export const startTestVerifier = (database: Database, options: Partial<ApiKeyVerifierOptions> = {}) => {
  const feed = manualFeed();
  const { watch, sql } = watchedSql(database.systemSql);
  const verifier = createApiKeyVerifier({
    db: { systemSql: sql, system: database.system },
    changes: feed,
    clock: systemClock,
    metrics: createMetrics(),
    usageFlushIntervalMs: 60_000,
    ...options,
  });
  return { verifier, feed, watch };
};
