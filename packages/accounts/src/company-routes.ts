import { actorOf } from '@impact-hub/audit';
import { coreProblems, decodeCursor, routeDefiner, toPage } from '@impact-hub/core';
import { createCompany } from './create-company.ts';
import type { AccountsDeps } from './deps.ts';
import { changePerson } from './people/change-person.ts';
import { endSessions } from './people/end-sessions.ts';
import { invitePerson } from './people/invite-person.ts';
import { releaseAddress } from './people/release-address.ts';
import { personNotFound, personOfOtherCompanies, roleNotAllowed } from './problems.ts';
import { belongsToOthers, selectMember, selectMembers } from './repository.ts';
import { mayManageRole } from './roles.ts';
import {
  changePersonBody,
  companyView,
  createCompanyBody,
  createdCompanyView,
  endedView,
  invitationView,
  inviteBody,
  listPeopleQuery,
  memberPage,
  memberView,
  nothing,
  personParams,
  releaseAddressBody,
} from './schema.ts';

const defineRoute = routeDefiner<AccountsDeps>();
const access = { scopes: ['people:manage'] } as const;

const listPeople = defineRoute({
  method: 'GET',
  path: '/api/v1/people',
  operationId: 'listPeople',
  summary: 'List the people of the company',
  access,
  input: { query: listPeopleQuery },
  output: { 200: memberPage },
  handler: async ({ input: { query }, principal, deps }) => {
    const cursor = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
    const rows = await deps.db.company(principal.companyId, (tx) => selectMembers(tx, { limit: query.limit, cursor }));
    return toPage(rows, query.limit, (row) => ({ atMs: row.joinedAt.getTime(), id: row.id }));
  },
});

const invite = defineRoute({
  method: 'POST',
  path: '/api/v1/people',
  operationId: 'invitePerson',
  summary: 'Invite a person with a role',
  description: 'The person joins by accepting the token. Nobody grants a role above their own.',
  access,
  input: { body: inviteBody },
  output: { 201: invitationView },
  handler: async ({ input: { body }, principal, deps, request }) => {
    if (!mayManageRole(principal, body.role, deps.scopeCatalogue)) throw roleNotAllowed();
    const { companyId } = principal;
    const by = { actor: actorOf(principal), request };
    return deps.db.company(companyId, (tx) => invitePerson(tx, deps, by, { companyId, ...body }));
  },
});

const change = defineRoute({
  method: 'PATCH',
  path: '/api/v1/people/:personId',
  operationId: 'changePerson',
  summary: 'Change the role of a person, or switch the membership off or on',
  access,
  input: { params: personParams, body: changePersonBody },
  output: { 200: memberView },
  handler: ({ input, principal, deps, request }) =>
    deps.db.company(principal.companyId, (tx) =>
      changePerson(tx, deps, { principal, request }, input.params.personId, input.body),
    ),
});

const revokeSessions = defineRoute({
  method: 'DELETE',
  path: '/api/v1/people/:personId/sessions',
  operationId: 'revokeSessionsOfPerson',
  summary: 'End all sessions of a person',
  description: 'Only of a person who belongs to this company alone; disable the membership of any other.',
  access,
  input: { params: personParams },
  output: { 200: endedView },
  handler: async ({ input: { params }, principal, deps, request }) => {
    const isShared = await belongsToOthers(deps.db.systemSql, params.personId, principal.companyId);
    return deps.db.company(principal.companyId, async (tx) => {
      const member = await selectMember(tx, params.personId);
      if (member === undefined) throw personNotFound();
      if (!mayManageRole(principal, member.role, deps.scopeCatalogue)) throw roleNotAllowed();
      if (isShared) throw personOfOtherCompanies();
      return { ended: await endSessions(tx, { principal, request }, 'auth.session_revoked', member.id) };
    });
  },
});

const showCompany = defineRoute({
  method: 'GET',
  path: '/api/v1/company',
  operationId: 'getCompany',
  summary: 'The company of the caller',
  access: 'signedIn',
  output: { 200: companyView },
  handler: async ({ principal, deps }) => {
    const [row] = await deps.db.company(
      principal.companyId,
      (tx) =>
        tx.sql<
          { id: string; name: string; createdAt: Date }[]
        >`select id, name, created_at as "createdAt" from company`,
    );
    if (row === undefined) throw coreProblems.notFound();
    return row;
  },
});

const addCompany = defineRoute({
  method: 'POST',
  path: '/api/v1/companies',
  operationId: 'createCompany',
  summary: 'Make a company and invite its first administrator',
  description: 'For the role `system_admin` only.',
  access: { scopes: ['admin'] },
  onlyFor: 'system_admin',
  idempotency: 'system',
  input: { body: createCompanyBody },
  output: { 201: createdCompanyView },
  handler: async ({ input: { body }, principal, deps, request }) => {
    const by = { actor: actorOf(principal), request };
    return deps.db.system(async (tx) => {
      const created = await createCompany(tx, deps, by, { name: body.name });
      const invitation = await invitePerson(tx, deps, by, {
        companyId: created.id,
        role: 'company_admin',
        ...body.administrator,
      });
      return { ...created, invitation };
    });
  },
});

const release = defineRoute({
  method: 'POST',
  path: '/api/v1/people/release-address',
  operationId: 'releaseAddress',
  summary: 'Take an e-mail address from a person who has not proven it',
  description: 'For the role `system_admin` only. Ends the sign-in and the memberships of whoever holds the address.',
  access: { scopes: ['admin'] },
  onlyFor: 'system_admin',
  idempotency: 'system',
  input: { body: releaseAddressBody },
  output: { 204: nothing },
  handler: ({ input: { body }, principal, deps, request }) => {
    const by = { actor: actorOf(principal), request };
    const target = { email: body.email, ownPersonId: principal.personId };
    return deps.db.system((tx) => releaseAddress(tx, deps, by, target));
  },
});

export const companyRoutes = [listPeople, invite, change, revokeSessions, showCompany, addCompany, release];
