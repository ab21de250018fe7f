import { actorOf } from '@impact-hub/audit';
import { decodeCursor, reply, routeDefiner, toPage, type CompanyPrincipal, type RequestInfo } from '@impact-hub/core';
import { findDelivery } from '../deliveries/delivery-repository.ts';
import { deliveryParams } from '../deliveries/schema.ts';
import type { ImpactInDeps } from '../deps.ts';
import { deliveryNotFound } from '../problems.ts';
import { changeReplay } from './change-replay.ts';
import { countSelection } from './count-selection.ts';
import { createReplay, type ReplayMaker, type ReplayOrder } from './create-replay.ts';
import { replayNotFound } from './problems.ts';
import { replayLimits, type ReplaySelection } from './replay.ts';
import { findReplay, selectItems, selectReplays, type Item } from './replay-repository.ts';
import type { ReplayChange } from './replay-state.ts';
import {
  bulkReplayBody,
  dryRunView,
  itemListQuery,
  itemPage,
  replayDetail,
  replayListQuery,
  replayOneBody,
  replayPage,
  replayParams,
  replayView,
  retryFailedBody,
  type BulkReplayInput,
} from './schema.ts';
import { viewReplay } from './view-replay.ts';

const defineRoute = routeDefiner<ImpactInDeps>();
const canRead = { scopes: ['deliveries:read'] } as const;
const canReplay = { scopes: ['deliveries:replay'] } as const;
const deliveries = '/api/v1/impact-in/deliveries';
const replays = '/api/v1/impact-in/replays';

const makerOf = (principal: CompanyPrincipal, request: RequestInfo): ReplayMaker => ({
  actor: actorOf(principal),
  request,
});

type Asked = { companyId: string; deps: ImpactInDeps; maker: ReplayMaker; order: ReplayOrder; dryRun: boolean };

const startOrCount = async ({ companyId, deps, maker, order, dryRun }: Asked) => {
  if (dryRun) {
    const now = deps.clock.now();
    const counted = await deps.db.company(companyId, (tx) => countSelection(tx, order.selection, now));
    return reply(200, { dryRun: true, ...counted });
  }
  const made = await deps.db.company(companyId, (tx) => createReplay(tx, deps, maker, order));
  return reply(202, viewReplay(made, deps.clock.nowMs()), { location: `${replays}/${made.id}` });
};

const started = 'Read its progress at the address in `Location`.';

const replayOne = defineRoute({
  method: 'POST',
  path: `${deliveries}/:id/replay`,
  operationId: 'replayDelivery',
  summary: 'Process, or send, one delivery again',
  description: `A delivery that was not processed is processed now; a processed one is read and applied again. ${started}`,
  access: canReplay,
  input: { params: deliveryParams, body: replayOneBody },
  output: { 200: dryRunView, 202: replayView },
  handler: async ({ input, principal, deps, request }) => {
    const { companyId } = principal;
    const { id } = input.params;
    const { dryRun, includeSucceeded, reason = null } = input.body;
    const found = await deps.db.company(companyId, (tx) => findDelivery(tx, id));
    if (found === undefined) throw deliveryNotFound();
    const ratePerSecond = replayLimits.defaultRatePerSecond;
    const order = { kind: 'one', selection: { ids: [id] }, ratePerSecond, includeSucceeded, reason } as const;
    return startOrCount({ companyId, deps, maker: makerOf(principal, request), order, dryRun });
  },
});

const selectionOf = ({ ids, ...body }: BulkReplayInput): ReplaySelection => {
  if (ids !== undefined) return { ids };
  const { dryRun: _dryRun, ratePerSecond: _rate, includeSucceeded: _include, reason: _reason, ...filter } = body;
  return { filter };
};

const bulkReplay = defineRoute({
  method: 'POST',
  path: `${deliveries}/bulk-replay`,
  operationId: 'bulkReplayDeliveries',
  summary: 'Replay named deliveries, or all of a time window',
  description: `One replay of a company runs at a time, others wait. ${started}`,
  access: canReplay,
  input: { body: bulkReplayBody },
  output: { 200: dryRunView, 202: replayView },
  handler: ({ input: { body }, principal, deps, request }) => {
    const { dryRun, ratePerSecond, includeSucceeded, reason = null } = body;
    const selection = selectionOf(body);
    const kind = 'ids' in selection ? 'selection' : 'window';
    const order = { kind, selection, ratePerSecond, includeSucceeded, reason } as const;
    return startOrCount({ companyId: principal.companyId, deps, maker: makerOf(principal, request), order, dryRun });
  },
});

const retryAllFailed = defineRoute({
  method: 'POST',
  path: `${deliveries}/retry-all-failed`,
  operationId: 'retryAllFailedDeliveries',
  summary: 'Replay every delivery whose status is `failed`',
  description: `With \`outcome: dead\` only those that the hub could not process. ${started}`,
  access: canReplay,
  input: { body: retryFailedBody },
  output: { 200: dryRunView, 202: replayView },
  handler: ({ input, principal, deps, request }) => {
    const { dryRun, ratePerSecond, includeSucceeded, reason = null, ...filter } = input.body;
    const selection = { filter: { ...filter, status: 'failed' as const } };
    const order = { kind: 'retry_failed', selection, ratePerSecond, includeSucceeded, reason } as const;
    return startOrCount({ companyId: principal.companyId, deps, maker: makerOf(principal, request), order, dryRun });
  },
});

const list = defineRoute({
  method: 'GET',
  path: replays,
  operationId: 'listReplays',
  summary: 'List replays, newest first',
  access: canRead,
  input: { query: replayListQuery },
  output: { 200: replayPage },
  handler: async ({ input: { query }, principal, deps }) => {
    const { limit, cursor: cursorText, ...filter } = query;
    const cursor = cursorText === undefined ? undefined : decodeCursor(cursorText);
    const rows = await deps.db.company(principal.companyId, (tx) => selectReplays(tx, filter, { cursor, limit }));
    const page = toPage(rows, limit, ({ createdAt, id }) => ({ atMs: createdAt.getTime(), id }));
    return { ...page, data: page.data.map((replay) => viewReplay(replay, deps.clock.nowMs())) };
  },
});

const pageOfItems = (items: readonly Item[], limit: number) => {
  const data = items.slice(0, limit);
  return { data, nextCursor: items.length > limit ? (data.at(-1)?.deliveryId ?? null) : null };
};

const failuresShown = 20;

const get = defineRoute({
  method: 'GET',
  path: `${replays}/:id`,
  operationId: 'getReplay',
  summary: 'Read the progress of a replay',
  access: canRead,
  input: { params: replayParams },
  output: { 200: replayDetail },
  handler: ({ input, principal, deps }) =>
    deps.db.company(principal.companyId, async (tx) => {
      const found = await findReplay(tx, input.params.id);
      if (found === undefined) throw replayNotFound();
      const failed = await selectItems(tx, found.id, { state: 'failed' }, { after: undefined, limit: failuresShown });
      return { ...viewReplay(found, deps.clock.nowMs()), failures: pageOfItems(failed, failuresShown) };
    }),
});

const listItems = defineRoute({
  method: 'GET',
  path: `${replays}/:id/items`,
  operationId: 'listReplayItems',
  summary: 'List the deliveries of a replay and how each ended',
  description: 'Kept for 30 days after the end of the replay.',
  access: canRead,
  input: { params: replayParams, query: itemListQuery },
  output: { 200: itemPage },
  handler: ({ input: { params, query }, principal, deps }) =>
    deps.db.company(principal.companyId, async (tx) => {
      const { limit, cursor: after, state } = query;
      if ((await findReplay(tx, params.id)) === undefined) throw replayNotFound();
      return pageOfItems(await selectItems(tx, params.id, { state }, { after, limit }), limit);
    }),
});

const change = (verb: ReplayChange, summary: string) =>
  defineRoute({
    method: 'POST',
    path: `${replays}/:id/${verb}`,
    operationId: `${verb}Replay`,
    summary,
    access: canReplay,
    input: { params: replayParams },
    output: { 200: replayView },
    handler: async ({ input, principal, deps, request }) => {
      const asked = { id: input.params.id, change: verb };
      const changed = await deps.db.company(principal.companyId, (tx) =>
        changeReplay(tx, deps, makerOf(principal, request), asked),
      );
      return viewReplay(changed, deps.clock.nowMs());
    },
  });

export const replayRoutes = [
  replayOne,
  bulkReplay,
  retryAllFailed,
  list,
  get,
  listItems,
  change('pause', 'Pause a replay: nothing more is begun until it is resumed'),
  change('resume', 'Let a paused or failed replay go on where it stopped'),
  change('cancel', 'End a replay: nothing more is begun'),
];
