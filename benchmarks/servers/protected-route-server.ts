import { bindModule, defineModule, routeDefiner, type Access } from '@impact-hub/core';
import { z } from 'zod';
import { serveUntilSignal } from './serve-until-signal.ts';

const defineRoute = routeDefiner<Record<string, never>>();

/** One handler under two policies. */
const route = (path: string, access: Access) =>
  defineRoute({
    method: 'GET',
    path,
    operationId: `bench${path.replaceAll('/', '-')}`,
    summary: 'Answer a small object',
    access,
    output: { 200: z.object({ id: z.string(), status: z.string(), attempts: z.int() }) },
    handler: () => ({ id: '0199c0de-0000-7000-8000-000000000000', status: 'success', attempts: 1 }),
  });

const module = defineModule({
  name: 'bench',
  routes: [route('/bench/open', 'public'), route('/bench/protected', { scopes: ['data:read'] })],
});

await serveUntilSignal((hub) => [...hub.modules, bindModule(module, {})]);
