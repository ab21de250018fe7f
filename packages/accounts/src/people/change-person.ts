import { actorOf, recordAudit } from '@impact-hub/audit';
import type { Clock, CompanyPrincipal, RequestInfo, Tx } from '@impact-hub/core';
import { lastAdministrator, personNotFound, roleNotAllowed } from '../problems.ts';
import { lockMemberships, selectMember, type MemberRow } from '../repository.ts';
import { mayManageRole, type Role, type ScopeCatalogue } from '../roles.ts';

const isAdministrator = (member: { role: Role; disabledAt: Date | null }): boolean =>
  member.disabledAt === null && (member.role === 'company_admin' || member.role === 'system_admin');

type Change = { role?: Role | undefined; disabled?: boolean | undefined };

/**
 * Changes a person's role in the company, or switches the membership off or on. Counts from the next request on.
 * @throws ProblemError `accounts.person_not_found`, `accounts.role_not_allowed`, `accounts.last_administrator`
 */
export const changePerson = async (
  tx: Tx,
  deps: { clock: Clock; scopeCatalogue: ScopeCatalogue },
  by: { principal: CompanyPrincipal; request: RequestInfo },
  personId: string,
  change: Change,
): Promise<MemberRow> => {
  const { principal, request } = by;
  const locked = await lockMemberships(tx, personId);
  const before = locked.find((member) => member.personId === personId);
  if (before === undefined) throw personNotFound();
  const now = deps.clock.now();
  const after = {
    role: change.role ?? before.role,
    disabledAt: change.disabled === undefined ? before.disabledAt : change.disabled ? (before.disabledAt ?? now) : null,
  };
  for (const role of [before.role, after.role])
    if (!mayManageRole(principal, role, deps.scopeCatalogue)) throw roleNotAllowed();
  const othersRemain = locked.some((member) => member.personId !== personId && isAdministrator(member));
  if (isAdministrator(before) && !isAdministrator(after) && !othersRemain) throw lastAdministrator();

  await tx.sql`
    update membership set role = ${after.role}, disabled_at = ${after.disabledAt}, updated_at = ${now}
    where person_id = ${personId}`;
  await recordAudit(tx, {
    type: 'person.changed',
    category: 'authorization',
    actor: actorOf(principal),
    resource: { type: 'person', id: personId },
    request,
    changes: {
      role: { from: before.role, to: after.role },
      disabled: { from: before.disabledAt !== null, to: after.disabledAt !== null },
    },
  });
  const member = await selectMember(tx, personId);
  if (member === undefined) throw personNotFound();
  return member;
};
