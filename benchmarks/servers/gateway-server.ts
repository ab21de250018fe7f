import { bindModule, defineModule, routeDefiner, type Access, type Database, type Route } from '@impact-hub/core';
import { z } from 'zod';
import { serveUntilSignal } from './serve-until-signal.ts';

type Deps = { db: Database };

const defineRoute = routeDefiner<Deps>();
const answer = { id: '0199c0de-0000-7000-8000-000000000000', status: 'success', attempts: 1 };
const output = { 200: z.object({ id: z.string(), status: z.string(), attempts: z.int() }) };
const protectedBy = { scopes: ['data:read'] } as const;

const read = (path: string, access: Access, more: Partial<Pick<Route, 'cache'>> = {}) =>
  defineRoute({
    method: 'GET',
    path,
    operationId: `bench${path.replaceAll('/', '-')}`,
    summary: 'Answer a small object',
    access,
    output,
    ...more,
    handler: () => answer,
  });

const change = defineRoute({
  method: 'POST',
  path: '/bench/change',
  operationId: 'benchChange',
  summary: 'A transaction that changes nothing',
  access: protectedBy,
  input: { body: z.strictObject({ amount: z.int() }) },
  output,
  handler: async ({ principal, deps }) => {
    await deps.db.company(principal.companyId, (tx) => tx.sql`select 1`);
    return answer;
  },
});

const module = defineModule<Deps>({
  name: 'bench',
  routes: [
    read('/bench/open', 'public'),
    read('/bench/protected', protectedBy),
    read('/bench/cached', protectedBy, { cache: { ttlSeconds: 3_600, tags: [] } }),
    change,
  ],
});

await serveUntilSignal((hub) => {
  if (process.argv[2] === 'without-limits') delete hub.edge.limit;
  return [...hub.modules, bindModule(module, { db: hub.db })];
});
