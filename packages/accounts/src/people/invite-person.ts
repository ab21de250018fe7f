import { hash, randomBytes } from 'node:crypto';
import { recordAudit } from '@impact-hub/audit';
import { newId, type Clock, type Tx } from '@impact-hub/core';
import type { ActedBy } from '../create-company.ts';
import { alreadyMember } from '../problems.ts';
import type { Role } from '../roles.ts';
import { invitation } from '../tables.ts';

const validForDays = 7;
const tokenBytes = 32;

/** What is stored of an invitation's token. */
export const hashInvitationToken = (token: string): Buffer => hash('sha256', token, 'buffer');

export type Invited = { invitationId: string; email: string; name: string; role: Role; token: string; expiresAt: Date };

/**
 * Offers a role in a company. No account is made or touched: whether the address is known to another company does not
 * show, and nobody becomes a member without accepting.
 *
 * @returns the token for the link, this once; only its hash is stored
 * @throws ProblemError `accounts.already_member`
 */
export const invitePerson = async (
  tx: Tx,
  deps: { clock: Clock },
  by: ActedBy,
  input: { companyId: string; email: string; name: string; role: Role },
): Promise<Invited> => {
  const now = deps.clock.now();
  const email = input.email.toLowerCase();
  const members = await tx.sql`
    select 1 from membership m join person p on p.id = m.person_id
    where m.company_id = ${input.companyId} and p.email = ${email}`;
  if (members.length > 0) throw alreadyMember();
  const token = randomBytes(tokenBytes).toString('base64url');
  const row = {
    id: newId(),
    companyId: input.companyId,
    email,
    name: input.name,
    role: input.role,
    tokenHash: hashInvitationToken(token),
    invitedBy: `${by.actor.kind}:${by.actor.id}`,
    createdAt: now,
    expiresAt: new Date(now.getTime() + validForDays * 86_400_000),
  };
  await tx.orm.insert(invitation).values(row);
  await recordAudit(tx, {
    type: 'person.invited',
    category: 'admin',
    companyId: input.companyId,
    resource: { type: 'invitation', id: row.id },
    metadata: { role: row.role },
    ...by,
  });
  return { invitationId: row.id, email, name: row.name, role: row.role, token, expiresAt: row.expiresAt };
};
