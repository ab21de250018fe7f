import { coreProblems, decodeCursor, routeDefiner, toPage } from '@impact-hub/core';
import type { ImpactInDeps } from '../deps.ts';
import { findSending, showAttempts } from '../outbound/deliveries/attempt-log.ts';
import { requireSearchable } from '../receipts/search/search-settings.ts';
import { showReceipts } from '../receipts/reverify/show-taken.ts';
import { deliveryNotFound, receiptNotFound } from '../problems.ts';
import { countTraffic, countWork, findDelivery, selectDeliveries } from './delivery-repository.ts';
import { findReceipt, selectReceipts, type ReceiptFilter } from './receipt-repository.ts';
import {
  deliveryDetail,
  deliveryListQuery,
  deliveryPage,
  deliveryParams,
  receiptListQuery,
  receiptPage,
  receiptParams,
  shownReceipt,
  statsQuery,
  statsView,
} from './schema.ts';
import { trafficStats } from './traffic-stats.ts';

const defineRoute = routeDefiner<ImpactInDeps>();
const access = { scopes: ['deliveries:read'] } as const;

const byReceipt = (row: { receivedAt: Date; id: string }) => ({ atMs: row.receivedAt.getTime(), id: row.id });

const dayMs = 86_400_000;
/** Unless the caller says otherwise: a value such as `success` can be that of millions. */
const contentSearchDays = 30;

const listDeliveries = defineRoute({
  method: 'GET',
  path: '/api/v1/impact-in/deliveries',
  operationId: 'listDeliveries',
  summary: 'List deliveries, newest first',
  description:
    'A webhook appears here once it is processed, usually within a second; its receipt is there at once. A search by `field` and `value` finds what came in since the field was made searchable (`…/endpoints/{id}/search-fields` says since when); it goes back 30 days unless `from` says otherwise.',
  access,
  input: { query: deliveryListQuery },
  output: { 200: deliveryPage },
  handler: async ({ input: { query }, principal, deps }) => {
    const { limit, cursor: cursorText, field, value, ...filter } = query;
    const cursor = cursorText === undefined ? undefined : decodeCursor(cursorText);
    const endMs = filter.to?.getTime() ?? deps.clock.nowMs();
    const rows = await deps.db.company(principal.companyId, async (tx) => {
      const bounded = { ...filter, from: filter.from ?? new Date(endMs - contentSearchDays * dayMs) };
      if (field === undefined || value === undefined)
        return selectDeliveries(tx, filter.eventType === undefined ? filter : bounded, { cursor, limit });
      const term = await deps.records.search.find(tx, field, value);
      const found = term === null ? [] : await selectDeliveries(tx, { ...bounded, term }, { cursor, limit });
      // What was searchable once is still found.
      if (found.length === 0) await requireSearchable(tx, field, filter.endpointId);
      return found;
    });
    return toPage(rows, limit, byReceipt);
  },
});

const getDelivery = defineRoute({
  method: 'GET',
  path: '/api/v1/impact-in/deliveries/:id',
  operationId: 'getDelivery',
  summary: 'Read one delivery with its attempts',
  access,
  input: { params: deliveryParams },
  output: { 200: deliveryDetail },
  handler: async ({ input, principal, deps }) => {
    const { id } = input.params;
    const { found, sent } = await deps.db.snapshot(principal.companyId, async (tx) => ({
      found: await findDelivery(tx, id),
      sent: await findSending(tx, deps.outbound.breakers, id, deps.clock.nowMs()),
    }));
    if (found === undefined) throw deliveryNotFound();
    if (sent === undefined) return { ...found, sending: null };
    return { ...found, sending: sent.sending, attemptLog: await showAttempts(deps.crypto, sent) };
  },
});

const searchDays = 7;

/** Receipts are indexed by time only, to keep the path of the webhooks short; deliveries are the place to search. */
const searchFrom = ({ from, to, eventId, correlationId, requestId, reason }: ReceiptFilter, nowMs: number) =>
  from ??
  ((eventId ?? correlationId ?? requestId ?? reason)
    ? new Date((to?.getTime() ?? nowMs) - searchDays * dayMs)
    : undefined);

const listReceipts = defineRoute({
  method: 'GET',
  path: '/api/v1/impact-in/receipts',
  operationId: 'listReceipts',
  summary: 'List everything that arrived, refused and repeated requests included, newest first',
  description:
    'A search by event, correlation or request id, or by reason, goes back seven days unless `from` says otherwise.',
  access,
  input: { query: receiptListQuery },
  output: { 200: receiptPage },
  handler: async ({ input: { query }, principal, deps }) => {
    const { limit, cursor: cursorText, ...asked } = query;
    const cursor = cursorText === undefined ? undefined : decodeCursor(cursorText);
    const filter = { ...asked, from: searchFrom(asked, deps.clock.nowMs()) };
    const rows = await deps.db.company(principal.companyId, async (tx) =>
      showReceipts(tx, await selectReceipts(tx, filter, { cursor, limit })),
    );
    return toPage(rows, limit, byReceipt);
  },
});

const getReceipt = defineRoute({
  method: 'GET',
  path: '/api/v1/impact-in/receipts/:id',
  operationId: 'getReceipt',
  summary: 'Read one receipt, without its encrypted contents',
  access,
  input: { params: receiptParams },
  output: { 200: shownReceipt },
  handler: async ({ input, principal, deps }) => {
    return deps.db.company(principal.companyId, async (tx) => {
      const found = await findReceipt(tx, input.params.id);
      if (found === undefined) throw receiptNotFound();
      return (await showReceipts(tx, [found]))[0];
    });
  },
});

const maxRangeDays = 92;

const getStats = defineRoute({
  method: 'GET',
  path: '/api/v1/impact-in/stats',
  operationId: 'getImpactInStats',
  summary: 'Count deliveries by status, receipts by outcome, replays, and what waits',
  access,
  input: { query: statsQuery },
  output: { 200: statsView },
  handler: async ({ input: { query }, principal, deps }) => {
    const to = query.to ?? new Date(deps.clock.nowMs() + 1_000);
    const from = query.from ?? new Date(to.getTime() - dayMs);
    if (!(from < to && to.getTime() - from.getTime() <= maxRangeDays * dayMs))
      throw coreProblems.requestInvalid({
        detail: `The range from ${from.toISOString()} to ${to.toISOString()} is not usable.`,
        errors: [{ pointer: '/query/from', detail: `Must be before \`to\`, and at most ${maxRangeDays} days.` }],
      });
    return deps.db.company(principal.companyId, async (tx) =>
      trafficStats({ from, to }, await countTraffic(tx, from, to), await countWork(tx, from, to)),
    );
  },
});

export const deliveryRoutes = [listDeliveries, getDelivery, listReceipts, getReceipt, getStats];
