import { eventOf, sendSigned, type TestEndpoint, type TestHub } from '../test-hub.ts';
import type { ReplayView } from './schema.ts';
import { workReplays } from './work-replays.ts';

/** Arrangement shared by the tests of replays. */

export type Problem = { code: string; errors?: { pointer: string; detail: string }[] };

const url = (path: string): string => `/api/v1/impact-in${path}`;
const headersOf = (companyId: string) => ({ 'x-test-company': companyId });

/** Changes something by the API as a company. */
export const post = (hub: TestHub, companyId: string, path: string, body?: object) =>
  hub.server.inject({
    method: 'POST',
    url: url(path),
    headers: { ...headersOf(companyId), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });

/** Starts a replay that has to be accepted. */
export const start = async (hub: TestHub, companyId: string, path: string, body?: object): Promise<ReplayView> => {
  const answer = await post(hub, companyId, path, body);
  if (answer.statusCode !== 202) throw new Error(`${answer.statusCode} ${answer.body}`);
  return answer.json<ReplayView>();
};

/** One turn of the leader's schedule. */
export const tick = (hub: TestHub): Promise<void> => workReplays(hub.impactIn.deps, new AbortController().signal);

export const statusOf = async (hub: TestHub, companyId: string, id: string) =>
  (await hub.server.inject({ url: url(`/replays/${id}`), headers: headersOf(companyId) })).json<
    ReplayView & { failures: { data: { deliveryId: string; reason: string }[]; nextCursor: string | null } }
  >();

type Options = { eventType?: string; correlationId?: string; nowMs?: number };

/** A processed delivery of an event. @returns its id */
export const deliver = async (hub: TestHub, endpoint: TestEndpoint, seed: string, options: Options = {}) => {
  const event = eventOf(endpoint.partner, seed, options);
  const { receiptId } = (await sendSigned(hub, endpoint, event.body)).json<{ receiptId: string }>();
  await hub.runJobs();
  return receiptId;
};

/** A delivery whose processing was given up, and the mending of what stood in its way. */
export const deliverDead = async (hub: TestHub, endpoint: TestEndpoint, seed: string, options: Options = {}) => {
  const event = eventOf(endpoint.partner, seed, options);
  const { receiptId: id } = (await sendSigned(hub, endpoint, event.body)).json<{ receiptId: string }>();
  const [row] = await hub.owner<{ sealed: Buffer }[]>`select sealed from impact_in_receipt where id = ${id}`;
  await hub.owner`update impact_in_receipt set sealed = null where id = ${id}`;
  await hub.runJobs();
  const mend = () => hub.owner`update impact_in_receipt set sealed = ${row?.sealed ?? null} where id = ${id}`;
  return { id, mend };
};
