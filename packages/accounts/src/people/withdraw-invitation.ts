import { actorOf, recordAudit } from '@impact-hub/audit';
import type { Clock, CompanyPrincipal, RequestInfo, Tx } from '@impact-hub/core';
import { invitationNotFound, roleNotAllowed } from '../problems.ts';
import { mayManageRole, type Role, type ScopeCatalogue } from '../roles.ts';

/**
 * Ends an invitation of the transaction's company that nobody has accepted.
 * @throws ProblemError `accounts.invitation_not_found`, `accounts.role_not_allowed`
 */
export const withdrawInvitation = async (
  tx: Tx,
  deps: { clock: Clock; scopeCatalogue: ScopeCatalogue },
  by: { principal: CompanyPrincipal; request: RequestInfo },
  invitationId: string,
): Promise<void> => {
  const [withdrawn] = await tx.sql<{ role: Role }[]>`
    update invitation set revoked_at = ${deps.clock.now()}
    where id = ${invitationId} and accepted_at is null and revoked_at is null returning role`;
  if (withdrawn === undefined) throw invitationNotFound();
  if (!mayManageRole(by.principal, withdrawn.role, deps.scopeCatalogue)) throw roleNotAllowed();
  await recordAudit(tx, {
    type: 'person.invitation_withdrawn',
    category: 'admin',
    actor: actorOf(by.principal),
    resource: { type: 'invitation', id: invitationId },
    request: by.request,
    metadata: { role: withdrawn.role },
  });
};
