import { hashPassword, verifyPassword } from 'better-auth/crypto';
import type { RequestInfo, Tx } from '@impact-hub/core';
import type { AccountsDeps } from '../deps.ts';
import { invitationInvalid, signInFailed } from '../problems.ts';
import type { Role } from '../roles.ts';
import { takeAttempt } from '../sign-in/sign-in-with-password.ts';
import { addMembership, createPerson } from './create-person.ts';
import { hashInvitationToken } from './invite-person.ts';

type Offer = { id: string; companyId: string; companyName: string; email: string; name: string; role: Role };

const takeInvitation = async (tx: Tx, token: string, now: Date): Promise<Offer> => {
  const [offer] = await tx.sql<Offer[]>`
    update invitation i set accepted_at = ${now} from company c
    where i.token_hash = ${hashInvitationToken(token)} and i.accepted_at is null and i.revoked_at is null
      and i.expires_at > ${now} and c.id = i.company_id
    returning i.id, i.company_id as "companyId", c.name as "companyName", i.email, i.name, i.role`;
  if (offer === undefined) throw invitationInvalid();
  return offer;
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
): Promise<{ email: string; company: { id: string; name: string }; role: Role }> => {
  // The inviter holds the token too and must not use it to guess the password of a person known to others.
  await takeAttempt(deps, await emailOf(deps, input.token), request);
  return deps.db.system(async (tx) => {
    const { companyId, companyName, email, name, role } = await takeInvitation(tx, input.token, deps.clock.now());
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
};
