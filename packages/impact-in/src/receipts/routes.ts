import { actorOf } from '@impact-hub/audit';
import { coreProblems, decodeCursor, routeDefiner, toPage } from '@impact-hub/core';
import { selectReceipts } from '../deliveries/receipt-repository.ts';
import { receiptParams } from '../deliveries/schema.ts';
import type { ImpactInDeps } from '../deps.ts';
import { explainReceipt } from './explain/explain-receipt.ts';
import { explanationView } from './explain/schema.ts';
import { receiptNotFound } from '../problems.ts';
import { explainLimited } from './problems.ts';
import { countWithin } from './reverify/kept-bytes.ts';
import { findReceipts, previewReceipts, reverifyReceipts } from './reverify/reverify-receipts.ts';
import { reverificationPage, reverifyAnswer, reverifyBody, type ReverifyInput } from './reverify/schema.ts';
import { searchRoutes } from './search/routes.ts';
import { reverifyResults, type ReverifyAnswer } from './reverify/find-reverification.ts';

const defineRoute = routeDefiner<ImpactInDeps>();
const canRead = { scopes: ['deliveries:read'] } as const;
const canReplay = { scopes: ['deliveries:replay'] } as const;
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

const reverifyOne = defineRoute({
  method: 'POST',
  path: `${receipts}/:id/reverify`,
  operationId: 'reverifyReceipt',
  summary: 'Verify a refused receipt, or read a quarantined one, again',
  description:
    'With the secrets and schemas of today and the clock at its arrival: what was too old then stays refused. An event that is authentic and new is processed as if it had just arrived; its delivery has the id of the receipt.',
  access: canReplay,
  input: { params: receiptParams },
  output: { 200: reverifyAnswer },
  handler: async ({ input, principal, deps, request }) => {
    const { companyId } = principal;
    const found = await findReceipts(deps, companyId, [input.params.id]);
    const [result] = await reverifyReceipts(deps, companyId, found, { actor: actorOf(principal), request });
    if (result === undefined) throw receiptNotFound();
    return result;
  },
});

const dayMs = 86_400_000;
/** Of one call: some seconds of work, in turns with other companies'. */
const maxBytesAtOnce = 32 * 1_048_576;

const findNamed = async (deps: ImpactInDeps, companyId: string, ids: readonly string[]) => {
  const data = await findReceipts(deps, companyId, ids);
  if (countWithin(data, maxBytesAtOnce) === data.length) return { data, nextCursor: null };
  const detail = 'Their bodies are more than 32 MiB together; name fewer at once.';
  throw coreProblems.requestInvalid({ errors: [{ pointer: '/body/ids', detail }] });
};

const selectPage = async (deps: ImpactInDeps, companyId: string, body: ReverifyInput) => {
  const { ids, limit, cursor: cursorText, dryRun: _dryRun, ...asked } = body;
  if (ids !== undefined) return findNamed(deps, companyId, ids);
  const cursor = cursorText === undefined ? undefined : decodeCursor(cursorText, '/body/cursor');
  const from = asked.from ?? new Date((asked.to?.getTime() ?? deps.clock.nowMs()) - dayMs);
  const rows = await deps.db.company(companyId, (tx) => selectReceipts(tx, { ...asked, from }, { cursor, limit }));
  return toPage(rows, Math.min(limit, countWithin(rows, maxBytesAtOnce)), ({ receivedAt, id }) => ({
    atMs: receivedAt.getTime(),
    id,
  }));
};

const countResults = (data: readonly ReverifyAnswer[]) => {
  const count = (kind: string): number => data.filter(({ result }) => result === kind).length;
  return Object.fromEntries(reverifyResults.map((kind) => [kind, count(kind)])) as Record<
    ReverifyAnswer['result'],
    number
  >;
};

const reverifyMany = defineRoute({
  method: 'POST',
  path: `${receipts}/reverify`,
  operationId: 'reverifyReceipts',
  summary: 'Verify named receipts, or those of a time window, again',
  description:
    'At most 500 in one call, and 32 MiB of bodies, newest first; `nextCursor` leads to the next ones. Repeating a call is harmless.',
  access: canReplay,
  input: { body: reverifyBody },
  output: { 200: reverificationPage },
  handler: async ({ input: { body }, principal, deps, request }) => {
    const { companyId } = principal;
    const { data: found, nextCursor } = await selectPage(deps, companyId, body);
    const data = body.dryRun
      ? await previewReceipts(deps, companyId, found)
      : await reverifyReceipts(deps, companyId, found, { actor: actorOf(principal), request });
    return { dryRun: body.dryRun, counts: countResults(data), data, nextCursor };
  },
});

export const receiptRoutes = [explain, reverifyOne, reverifyMany, ...searchRoutes];
