import { actorOf } from '@impact-hub/audit';
import { coreProblems, routeDefiner, type Clock, type CompanyPrincipal, type Database } from '@impact-hub/core';
import { companyLimitBody, companyLimitView, companyParams, type CompanyLimitView } from './schema.ts';
import { setCompanyLimit } from './set-company-limit.ts';

export type LimitsDeps = { db: Database; clock: Clock; companyLimitPerMinute: number };

const defineRoute = routeDefiner<LimitsDeps>();

const isSystemAdmin = (principal: CompanyPrincipal): boolean =>
  principal.kind === 'person' && principal.role === 'system_admin';

const showCompanyLimit = async (deps: LimitsDeps, companyId: string): Promise<CompanyLimitView> => {
  const [row] = await deps.db.system(
    (tx) => tx.sql<{ own: number | null }[]>`
      select l.requests_per_minute as own
        from company c left join company_rate_limit l on l.company_id = c.id where c.id = ${companyId}`,
  );
  if (row === undefined) throw coreProblems.notFound();
  return { companyId, requestsPerMinute: row.own ?? deps.companyLimitPerMinute, isDefault: row.own === null };
};

/** Other companies are there for the administrator of the system only. */
const refuseOthers = (principal: CompanyPrincipal, companyId: string): void => {
  if (companyId !== principal.companyId && !isSystemAdmin(principal)) throw coreProblems.notFound();
};

const getLimit = defineRoute({
  method: 'GET',
  path: '/api/v1/companies/:companyId/rate-limit',
  operationId: 'getCompanyRateLimit',
  summary: 'What a company may send per minute',
  description: 'The own company, or any one for the role `system_admin`.',
  access: { scopes: ['admin'] },
  input: { params: companyParams },
  output: { 200: companyLimitView },
  handler: ({ input: { params }, principal, deps }) => {
    const companyId = params.companyId.toLowerCase();
    refuseOthers(principal, companyId);
    return showCompanyLimit(deps, companyId);
  },
});

const putLimit = defineRoute({
  method: 'PUT',
  path: '/api/v1/companies/:companyId/rate-limit',
  operationId: 'setCompanyRateLimit',
  summary: 'Set what a company may send per minute',
  description: 'For the role `system_admin` only.',
  access: { scopes: ['admin'] },
  onlyFor: 'system_admin',
  idempotency: 'system',
  input: { params: companyParams, body: companyLimitBody },
  output: { 200: companyLimitView },
  handler: async ({ input: { params, body }, principal, deps, request }) => {
    const companyId = params.companyId.toLowerCase();
    const by = { actor: actorOf(principal), request };
    await deps.db.system((tx) => setCompanyLimit(tx, deps, by, { companyId, ...body }));
    return showCompanyLimit(deps, companyId);
  },
});

export const limitRoutes = [getLimit, putLimit];
