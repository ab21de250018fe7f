import { recordAudit, type AuditEvent } from '@impact-hub/audit';
import type { Database, RequestInfo, Tx } from '@impact-hub/core';

type Attempt = Pick<AuditEvent, 'type' | 'result'> & { email: string; reason?: string };

const membersByEmail = (tx: Tx, email: string): Promise<{ personId: string; companyId: string }[]> =>
  tx.sql<{ personId: string; companyId: string }[]>`
    select p.id as "personId", m.company_id as "companyId" from person p join membership m on m.person_id = p.id
    where p.email = ${email} order by m.company_id`;

/**
 * Records an attempt to sign in, once for each company the person belongs to; an unknown address belongs to none and
 * is not written down.
 */
export const recordSignIn = (db: Database, attempt: Attempt, request: RequestInfo): Promise<void> =>
  db.system(async (tx) => {
    const { email, reason, ...event } = attempt;
    const members = await membersByEmail(tx, email);
    const shared = {
      ...event,
      category: 'authentication',
      severity: event.result === 'success' ? 'info' : 'warning',
      request,
      ...(reason === undefined ? {} : { metadata: { reason } }),
    } as const;
    for (const { personId, companyId } of members)
      await recordAudit(tx, {
        ...shared,
        companyId,
        actor: { kind: 'person', id: personId },
        resource: { type: 'person', id: personId },
      });
    if (members.length === 0)
      await recordAudit(tx, { ...shared, companyId: null, actor: { kind: 'anonymous', id: 'anonymous' } });
  });
