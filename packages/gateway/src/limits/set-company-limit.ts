import type { ActedBy } from '@impact-hub/accounts';
import { recordAudit } from '@impact-hub/audit';
import { coreProblems, publishChange, type Clock, type Tx } from '@impact-hub/core';
import { companyLimitTopic } from './company-limits.ts';

/**
 * Gives a company a limit of its own, or the default again. Every process follows within a moment.
 * @param tx a system transaction
 * @throws ProblemError `request.not_found`
 */
export const setCompanyLimit = async (
  tx: Tx,
  { clock }: { clock: Clock },
  by: ActedBy,
  { companyId, requestsPerMinute }: { companyId: string; requestsPerMinute: number | null },
): Promise<void> => {
  const [company] = await tx.sql<{ before: number | null }[]>`
    select l.requests_per_minute as before
      from company c left join company_rate_limit l on l.company_id = c.id where c.id = ${companyId}`;
  if (company === undefined) throw coreProblems.notFound();
  if (requestsPerMinute === null) await tx.sql`delete from company_rate_limit where company_id = ${companyId}`;
  else
    await tx.sql`
      insert into company_rate_limit (company_id, requests_per_minute, updated_at)
      values (${companyId}, ${requestsPerMinute}, ${clock.now()})
      on conflict (company_id) do update
        set requests_per_minute = excluded.requests_per_minute, updated_at = excluded.updated_at`;
  await recordAudit(tx, {
    type: 'company.rate_limit_set',
    category: 'admin',
    companyId,
    resource: { type: 'company', id: companyId },
    metadata: { before: company.before, after: requestsPerMinute },
    ...by,
  });
  await publishChange(tx, companyLimitTopic, companyId);
};
