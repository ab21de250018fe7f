import { actorOf, recordAudit } from '@impact-hub/audit';
import type { CompanyPrincipal, RequestInfo, Tx } from '@impact-hub/core';
import type { OperationsDeps } from './deps.ts';

/** All of them reach over the whole installation. */
export const access = { scopes: ['admin', 'operations:manage'] } as const;

type By = { principal: CompanyPrincipal; deps: OperationsDeps; request: RequestInfo };

/** Records who did what, and does in the same transaction what can be done in one. */
export const audited = (
  { principal, deps, request }: By,
  type: string,
  metadata: Record<string, unknown>,
  work: (tx: Tx) => Promise<unknown> = async () => undefined,
): Promise<unknown> =>
  deps.db.company(principal.companyId, async (tx) => {
    const severity = 'warning';
    await recordAudit(tx, { type, category: 'admin', severity, actor: actorOf(principal), request, metadata });
    return work(tx);
  });
