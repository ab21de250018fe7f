import type { Sql, Tx } from '@impact-hub/core';
import type { Role } from './roles.ts';

export type MembershipOfPerson = { companyId: string; companyName: string; role: Role };

/** The companies a person may act for, longest membership first. For the system role. */
export const selectMemberships = (sql: Sql | Tx['sql'], personId: string): Promise<MembershipOfPerson[]> =>
  sql<MembershipOfPerson[]>`
    select m.company_id as "companyId", c.name as "companyName", m.role
    from membership m join company c on c.id = m.company_id
    where m.person_id = ${personId} and m.disabled_at is null
    order by m.created_at, m.company_id`;

export type SessionRow = {
  sessionId: string;
  personId: string;
  email: string;
  companyId: string;
  role: Role;
};

/** One row per company of the person whose session has this hash; none when it ended. For the system role. */
export const selectSession = (sql: Sql, tokenHash: string, now: Date): Promise<SessionRow[]> =>
  sql<SessionRow[]>`
    select s.id as "sessionId", p.id as "personId", p.email, m.company_id as "companyId", m.role
    from session s
    join person p on p.id = s.person_id
    join membership m on m.person_id = p.id and m.disabled_at is null
    where s.token_hash = ${tokenHash} and s.expires_at > ${now}
    order by m.created_at, m.company_id`;

export type SessionView = {
  id: string;
  createdAt: Date;
  expiresAt: Date;
  ipAddress: string | null;
  userAgent: string | null;
};

/** The running sessions of one person, newest first. */
export const selectSessionsOf = (tx: Tx, personId: string, now: Date): Promise<SessionView[]> =>
  tx.sql<SessionView[]>`
    select id, created_at as "createdAt", expires_at as "expiresAt", ip_address as "ipAddress", user_agent as "userAgent"
    from session where person_id = ${personId} and expires_at > ${now} order by created_at desc, id desc`;

/** Ends sessions of a person at once, in all processes; each request reads its session. @returns how many ended */
export const deleteSessions = async (
  tx: Tx,
  personId: string,
  which: { only?: string; except?: string } = {},
): Promise<number> => {
  const ended = await tx.sql`
    delete from session where person_id = ${personId}
      and (${which.only ?? null}::uuid is null or id = ${which.only ?? null}::uuid)
      and (${which.except ?? null}::uuid is null or id <> ${which.except ?? null}::uuid)
    returning id`;
  return ended.length;
};

export type MemberRow = {
  id: string;
  email: string;
  name: string;
  role: Role;
  twoFactorEnabled: boolean;
  joinedAt: Date;
  disabledAt: Date | null;
};

/** People of the transaction's company, newest first, from a cursor on. */
export const selectMembers = (
  tx: Tx,
  page: { limit: number; cursor: { atMs: number; id: string } | undefined },
): Promise<MemberRow[]> => {
  const before = page.cursor;
  return tx.sql<MemberRow[]>`
    select p.id, p.email, p.name, m.role, p.two_factor_enabled as "twoFactorEnabled", m.created_at as "joinedAt",
           m.disabled_at as "disabledAt"
    from membership m join person p on p.id = m.person_id
    where ${before === undefined} or (m.created_at, m.person_id)
      < (${before === undefined ? null : new Date(before.atMs)}::timestamptz, ${before?.id ?? null}::uuid)
    order by m.created_at desc, m.person_id desc limit ${page.limit + 1}`;
};

/** One person of the transaction's company. */
export const selectMember = async (tx: Tx, personId: string): Promise<MemberRow | undefined> => {
  const [row] = await tx.sql<MemberRow[]>`
    select p.id, p.email, p.name, m.role, p.two_factor_enabled as "twoFactorEnabled", m.created_at as "joinedAt",
           m.disabled_at as "disabledAt"
    from membership m join person p on p.id = m.person_id where m.person_id = ${personId}`;
  return row;
};

/**
 * Locks the memberships that decide about a change of `personId`: their own and all administrators', in one order, so
 * that two administrators cannot disable each other at the same moment.
 */
export const lockMemberships = (
  tx: Tx,
  personId: string,
): Promise<{ personId: string; role: Role; disabledAt: Date | null }[]> =>
  tx.sql<{ personId: string; role: Role; disabledAt: Date | null }[]>`
    select person_id as "personId", role, disabled_at as "disabledAt" from membership
    where person_id = ${personId} or role in ('system_admin', 'company_admin')
    order by person_id for update`;

/** Whether the person belongs to a company other than this one, switched off or not. For the system role. */
export const belongsToOthers = async (sql: Sql, personId: string, companyId: string): Promise<boolean> => {
  const others = await sql`
    select 1 from membership where person_id = ${personId} and company_id <> ${companyId} limit 1`;
  return others.length > 0;
};

export type InvitationRow = {
  id: string;
  email: string;
  name: string;
  role: Role;
  invitedBy: string;
  createdAt: Date;
  expiresAt: Date;
  acceptedAt: Date | null;
  withdrawnAt: Date | null;
};

/** Invitations of the transaction's company, newest first, from a cursor on. */
export const selectInvitations = (
  tx: Tx,
  page: { limit: number; cursor: { atMs: number; id: string } | undefined },
): Promise<InvitationRow[]> => {
  const before = page.cursor;
  return tx.sql<InvitationRow[]>`
    select id, email, name, role, invited_by as "invitedBy", created_at as "createdAt", expires_at as "expiresAt",
           accepted_at as "acceptedAt", revoked_at as "withdrawnAt"
    from invitation
    where ${before === undefined} or (created_at, id)
      < (${before === undefined ? null : new Date(before.atMs)}::timestamptz, ${before?.id ?? null}::uuid)
    order by created_at desc, id desc limit ${page.limit + 1}`;
};
