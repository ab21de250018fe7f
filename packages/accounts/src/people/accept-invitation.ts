import { hashPassword, verifyPassword } from 'better-auth/crypto';
import { isUniqueViolation, type RequestInfo, type Tx } from '@impact-hub/core';
import type { AccountsDeps } from '../deps.ts';
import { invitationInvalid, signInFailed } from '../problems.ts';
import { mayInvite, type Role, type ScopeCatalogue } from '../roles.ts';
import { takeAttempt } from '../sign-in/sign-in-with-password.ts';
import { addMembership, createPerson } from './create-person.ts';
import { hashInvitationToken } from './invite-person.ts';

type Offer = {
  id: string;
  companyId: string;
  companyName: string;
  email: string;
  name: string;
  role: Role;
  invitedBy: string;
};

const takeInvitation = async (tx: Tx, token: string, now: Date): Promise<Offer> => {
  const [offer] = await tx.sql<Offer[]>`
    update invitation i set accepted_at = ${now} from company c
    where i.token_hash = ${hashInvitationToken(token)} and i.accepted_at is null and i.revoked_at is null
      and i.expires_at > ${now} and c.id = i.company_id
    returning i.id, i.company_id as "companyId", c.name as "companyName", i.email, i.name, i.role, i.invited_by as "invitedBy"`;
  if (offer === undefined) throw invitationInvalid();
  return offer;
};

/**
 * A person's invitation counts while they may still give the role: in the company, or as administrator of the system,
 * who invites the first administrator of a company without belonging to it.
 */
const requireInviter = async (tx: Tx, offer: Offer, catalogue: ScopeCatalogue): Promise<void> => {
  const [kind, id = ''] = offer.invitedBy.split(':');
  if (kind !== 'person') return;
  const held = await tx.sql<{ role: Role }[]>`
    select role from membership
    where person_id = ${id} and disabled_at is null and (company_id = ${offer.companyId} or role = 'system_admin')
    for share`;
  if (!held.some(({ role }) => mayInvite(role, offer.role, catalogue))) throw invitationInvalid();
};

const emailOf = async ({ db, clock }: AccountsDeps, token: string): Promise<string> => {
  const [open] = await db.systemSql<{ email: string }[]>`
    select email from invitation
    where token_hash = ${hashInvitationToken(token)} and accepted_at is null and revoked_at is null
      and expires_at > ${clock.now()}`;
  if (open === undefined) throw invitationInvalid();
  return open.email;
};

/** A person who signs in through the provider only has no password to prove; hashing one costs the same time. */
const proves = async (stored: string | null, password: string): Promise<boolean> => {
  if (stored !== null) return verifyPassword({ hash: stored, password });
  await hashPassword(password);
  return false;
};

type Accepted = { email: string; company: { id: string; name: string }; role: Role };

const join = (
  deps: AccountsDeps,
  input: { token: string; password: string },
  request: RequestInfo,
): Promise<Accepted> =>
  deps.db.system(async (tx) => {
    const offer = await takeInvitation(tx, input.token, deps.clock.now());
    await requireInviter(tx, offer, deps.scopeCatalogue);
    const { companyId, companyName, email, name, role } = offer;
    const [known] = await tx.sql<{ id: string; password: string | null }[]>`
      select p.id, a.password from person p
      left join sign_in_account a on a.person_id = p.id and a.provider_id = 'credential'
      where p.email = ${email}`;
    if (known === undefined) {
      const by = { actor: { kind: 'system', id: 'invitation' } as const, request };
      await createPerson(tx, deps, by, { companyId, email, name, role, password: input.password });
    } else {
      if (!(await proves(known.password, input.password))) throw signInFailed();
      const by = { actor: { kind: 'person', id: known.id } as const, request };
      await addMembership(tx, deps, by, { companyId, personId: known.id, role });
    }
    return { email, company: { id: companyId, name: companyName }, role };
  });

/**
 * Accepts an invitation. An address new to the hub becomes a person with this password; a known one has to prove
 * itself by its own, so that no administrator gets at an account by inviting it.
 *
 * @throws ProblemError `accounts.invitation_invalid`, `accounts.sign_in_failed`, `accounts.too_many_attempts`; the
 *   invitation stays open then
 */
export const acceptInvitation = async (
  deps: AccountsDeps,
  input: { token: string; password: string },
  request: RequestInfo,
): Promise<Accepted> => {
  // The inviter holds the token too and must not use it to guess the password of a person known to others.
  await takeAttempt(deps, await emailOf(deps, input.token), request);
  return join(deps, input, request).catch((error: unknown) => {
    // The address became a person since we looked: by another invitation, accepted at the same moment.
    if (isUniqueViolation(error instanceof Error ? (error.cause ?? error) : error, 'person_email_key'))
      return join(deps, input, request);
    throw error;
  });
};
