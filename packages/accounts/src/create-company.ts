import { recordAudit, type AuditActor } from '@impact-hub/audit';
import { newId, type Clock, type RequestInfo, type Tx } from '@impact-hub/core';
import { company } from './tables.ts';

/** Who acts, for the audit log. */
export type ActedBy = { actor: AuditActor; request?: Pick<RequestInfo, 'id' | 'ip' | 'userAgent'> };

/** Makes a company. @param tx a system transaction: the company is not there yet */
export const createCompany = async (
  tx: Tx,
  deps: { clock: Clock },
  by: ActedBy,
  input: { name: string },
): Promise<{ id: string; name: string; createdAt: Date }> => {
  const row = { id: newId(), name: input.name, createdAt: deps.clock.now() };
  await tx.orm.insert(company).values(row);
  await recordAudit(tx, {
    type: 'company.created',
    category: 'admin',
    companyId: row.id,
    resource: { type: 'company', id: row.id },
    metadata: { name: row.name },
    ...by,
  });
  return row;
};
