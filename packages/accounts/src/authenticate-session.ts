import { coreProblems, type Clock, type PersonPrincipal, type Sql } from '@impact-hub/core';
import { selectSession, type SessionRow } from './repository.ts';
import { roleScopes, type ScopeCatalogue } from './roles.ts';
import { hashSessionToken } from './sign-in/hash-session-tokens.ts';
import { openSignedCookie, readCookie } from './sign-in/session-cookie.ts';

export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

type Deps = { sql: Sql; secret: string; cookieName: string; clock: Clock; scopeCatalogue: ScopeCatalogue };

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const headerProblem = (detail: string) =>
  coreProblems.requestInvalid({
    detail: `X-Company-Id: ${detail}`,
    errors: [{ pointer: '/headers/x-company-id', detail }],
  });

/** The membership the request acts for. */
const chooseCompany = (rows: readonly SessionRow[], header: string | string[] | undefined, required: boolean) => {
  if (header === undefined || header === '') {
    if (rows.length > 1 && required) throw headerProblem('You belong to several companies; name the one you mean.');
    return rows[0];
  }
  if (typeof header !== 'string' || !uuid.test(header)) throw headerProblem('Must be the id of one of your companies.');
  const chosen = rows.find((row) => row.companyId === header.toLowerCase());
  if (chosen === undefined) throw coreProblems.notFound();
  return chosen;
};

/** See `Accounts.authenticate`. */
export const authenticateSession = async (
  deps: Deps,
  headers: RequestHeaders,
  companyRequired: boolean,
): Promise<PersonPrincipal | null> => {
  const cookie = readCookie(headers['cookie'] as string | undefined, deps.cookieName);
  const token = cookie === undefined ? undefined : openSignedCookie(cookie, deps.secret);
  if (token === undefined) return null;
  const rows = await selectSession(deps.sql, hashSessionToken(token), deps.clock.now());
  if (rows.length === 0) return null;
  const row = chooseCompany(rows, headers['x-company-id'], companyRequired);
  if (row === undefined) return null;
  return {
    kind: 'person',
    personId: row.personId,
    email: row.email,
    sessionId: row.sessionId,
    role: row.role,
    companyId: row.companyId,
    scopes: roleScopes(row.role, deps.scopeCatalogue),
  };
};
