import { actorOf } from '@impact-hub/audit';
import { routeDefiner } from '@impact-hub/core';
import { receiptParams } from '../deliveries/schema.ts';
import type { ImpactInDeps } from '../deps.ts';
import { explainReceipt } from './explain/explain-receipt.ts';
import { explanationView } from './explain/schema.ts';
import { explainLimited } from './problems.ts';

const defineRoute = routeDefiner<ImpactInDeps>();
const canRead = { scopes: ['deliveries:read'] } as const;
const receipts = '/api/v1/impact-in/receipts';

const explain = defineRoute({
  method: 'GET',
  path: `${receipts}/:id/explain`,
  operationId: 'explainReceipt',
  summary: 'Explain line by line why a request was taken or refused',
  description:
    'From the encrypted copy of the request. Shows neither signatures nor anything of secrets but their ids. Recorded in the audit; 60 at once, then one every two seconds.',
  access: canRead,
  input: { params: receiptParams },
  output: { 200: explanationView },
  handler: async ({ input, principal, deps, request }) => {
    const { companyId } = principal;
    const { explanations } = deps.records;
    if (explanations.left(companyId) < 1) throw explainLimited({ headers: { 'retry-after': '2' } });
    explanations.spend(companyId, 1);
    return explainReceipt(deps, companyId, input.params.id, { actor: actorOf(principal), request });
  },
});

export const receiptRoutes = [explain];
