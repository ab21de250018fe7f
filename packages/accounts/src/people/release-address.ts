import { recordAudit } from '@impact-hub/audit';
import type { Clock, Tx } from '@impact-hub/core';
import type { ActedBy } from '../create-company.ts';
import { addressNotReleasable, personNotFound } from '../problems.ts';

/**
 * Takes an address from the person who holds it without having proven it: their sign-in ends for good and their
 * memberships are switched off, recorded in each of the companies. The person stays, under an address that cannot
 * exist (RFC 2606 §2), as what the audit log refers to; the next invitation of the address makes a new person.
 *
 * @param tx a system transaction
 * @throws ProblemError `accounts.person_not_found`, `accounts.address_not_releasable`
 */
export const releaseAddress = async (
  tx: Tx,
  deps: { clock: Clock },
  by: ActedBy,
  input: { email: string; ownPersonId: string },
): Promise<void> => {
  const now = deps.clock.now();
  const [holder] = await tx.sql<{ id: string; isProven: boolean }[]>`
    select id, email_verified as "isProven" from person where email = ${input.email} for update`;
  if (holder === undefined) throw personNotFound();
  if (holder.isProven || holder.id === input.ownPersonId) throw addressNotReleasable();
  await tx.sql`delete from session where person_id = ${holder.id}`;
  await tx.sql`delete from sign_in_account where person_id = ${holder.id}`;
  await tx.sql`delete from two_factor where person_id = ${holder.id}`;
  await tx.sql`
    update person set email = ${`${holder.id}@released.invalid`}, two_factor_enabled = false, updated_at = ${now}
    where id = ${holder.id}`;
  const memberships = await tx.sql<{ companyId: string }[]>`
    update membership set disabled_at = coalesce(disabled_at, ${now}), updated_at = ${now}
    where person_id = ${holder.id} returning company_id as "companyId"`;
  for (const { companyId } of memberships)
    await recordAudit(tx, {
      type: 'person.address_released',
      category: 'security',
      severity: 'warning',
      companyId,
      resource: { type: 'person', id: holder.id },
      ...by,
    });
};
