import { decodeCursor, routeDefiner, toPage } from '@impact-hub/core';
import type { AccountsDeps } from './deps.ts';
import { withdrawInvitation } from './people/withdraw-invitation.ts';
import { selectInvitations } from './repository.ts';
import { invitationPage, invitationParams, listPeopleQuery, nothing } from './schema.ts';

const defineRoute = routeDefiner<AccountsDeps>();
const access = { scopes: ['people:manage'] } as const;

const listInvitations = defineRoute({
  method: 'GET',
  path: '/api/v1/people/invitations',
  operationId: 'listInvitations',
  summary: 'List the invitations of the company, newest first',
  description: 'Accepted, withdrawn and expired ones included. Tokens are not stored and never shown again.',
  access,
  input: { query: listPeopleQuery },
  output: { 200: invitationPage },
  handler: async ({ input: { query }, principal, deps }) => {
    const cursor = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
    const rows = await deps.db.company(principal.companyId, (tx) =>
      selectInvitations(tx, { limit: query.limit, cursor }),
    );
    return toPage(rows, query.limit, (row) => ({ atMs: row.createdAt.getTime(), id: row.id }));
  },
});

const withdraw = defineRoute({
  method: 'DELETE',
  path: '/api/v1/people/invitations/:invitationId',
  operationId: 'withdrawInvitation',
  summary: 'Withdraw an invitation that nobody has accepted',
  access,
  input: { params: invitationParams },
  output: { 204: nothing },
  handler: ({ input, principal, deps, request }) =>
    deps.db.company(principal.companyId, (tx) =>
      withdrawInvitation(tx, deps, { principal, request }, input.params.invitationId),
    ),
});

export const invitationRoutes = [listInvitations, withdraw];
