import { actorOf, recordAudit } from '@impact-hub/audit';
import type { CompanyPrincipal, RequestInfo, Tx } from '@impact-hub/core';
import { deleteSessions } from '../repository.ts';

/** Ends sessions of a person and records it, in one transaction. @returns how many ended */
export const endSessions = async (
  tx: Tx,
  by: { principal: CompanyPrincipal; request: RequestInfo },
  type: 'auth.signed_out' | 'auth.session_revoked',
  personId: string,
  which: { only?: string; except?: string } = {},
): Promise<number> => {
  const ended = await deleteSessions(tx, personId, which);
  if (ended === 0) return 0;
  await recordAudit(tx, {
    type,
    category: 'authentication',
    actor: actorOf(by.principal),
    resource: { type: 'person', id: personId },
    request: by.request,
    metadata: { ended, ...which },
  });
  return ended;
};
