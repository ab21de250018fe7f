import type { Tx } from '@impact-hub/core';

export type Correlation = { partner: string; correlationId: string };

/**
 * Until the transaction ends, nobody else tells what belongs to these correlations: neither an event of the partner nor
 * the answer that names its transaction can miss the other. Taken in one order by everybody. Companies that have sent
 * nothing to the partner pay one look into an index.
 */
export const lockCorrelations = async (tx: Tx, correlations: readonly Correlation[]): Promise<boolean> => {
  if (correlations.length === 0) return false;
  const locked = await tx.sql`
    select pg_advisory_xact_lock(hashtextextended(key, 0)) from (
      select distinct concat_ws(' ', 'impact_in_outbound', ${tx.companyId}::text, c.partner, c.correlation) as key
      from jsonb_to_recordset(${JSON.stringify(
        correlations.map(({ partner, correlationId }) => ({ partner, correlation: correlationId })),
      )}::jsonb) as c (partner text, correlation text)
      where exists (select from impact_in_outbound o where o.company_id = ${tx.companyId} and o.partner = c.partner)
      order by key offset 0
    ) keys`;
  return locked.length > 0;
};
