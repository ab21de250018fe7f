import { routeDefiner } from '@impact-hub/core';
import type { AuditDeps } from './deps.ts';
import { listEvents } from './list-events.ts';
import { eventPage, listEventsQuery } from './schema.ts';

const defineRoute = routeDefiner<AuditDeps>();

export const listAuditEvents = defineRoute({
  method: 'GET',
  path: '/api/v1/audit/events',
  operationId: 'listAuditEvents',
  summary: 'List audit events, newest first',
  access: { scopes: ['audit:read'] },
  input: { query: listEventsQuery },
  output: { 200: eventPage },
  handler: ({ input, principal, deps }) =>
    deps.db.company(principal.companyId, (tx) => listEvents(tx, principal.companyId, input.query)),
});
