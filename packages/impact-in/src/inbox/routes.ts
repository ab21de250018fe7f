import { reply, routeDefiner } from '@impact-hub/core';
import { z } from 'zod';
import type { ImpactInDeps } from '../deps.ts';
import { encodingRefused, inboxUnavailable, notAuthentic, payloadTooLarge } from '../problems.ts';
import { partnerNames, type PartnerName } from '../verification/profile.ts';
import { isEncoded } from '../verification/read-header.ts';
import { describeSchemes, schemeHeaders } from './describe-schemes.ts';
import { rowOverheadBytes } from './receipt-row.ts';
import { receiveWebhook, type Webhook } from './receive-webhook.ts';
import { retrySoon } from './retry-soon.ts';

const defineRoute = routeDefiner<ImpactInDeps>();

const acknowledgement = z.object({
  received: z.literal(true),
  receiptId: z.uuid(),
  duplicate: z.literal(true).optional().describe('The event had been received before; it is not processed again.'),
});
const output = {
  200: acknowledgement,
  202: acknowledgement.describe(
    'Kept, but not processed: authentic and no event the hub knows, or an event that has to be confirmed first.',
  ),
};

/** The largest limit an endpoint can have. */
const bodyLimitBytes = 1_048_576;
/** What holds where no endpoint says otherwise. */
const defaultBodyLimitBytes = 262_144;

const receive = async (deps: ImpactInDeps, arrival: Omit<Webhook, 'arrivedAtMs'>) => {
  const webhook = { ...arrival, arrivedAtMs: performance.now() };
  if (isEncoded(webhook.request.rawHeaders)) throw encodingRefused();
  const endpoint = webhook.endpointId === null ? undefined : deps.endpoints.find(webhook.endpointId);
  const limit = endpoint?.bodyLimitBytes ?? defaultBodyLimitBytes;
  if (webhook.body.length > limit) throw payloadTooLarge({ detail: `At most ${limit} bytes are accepted.` });
  const { partner } = webhook;
  // At the bare address whose it is takes work to find out.
  const owners = [endpoint?.companyId ?? 'any', endpoint?.id ?? partner] as const;
  if (!(await deps.inbox.turns.enter(owners, webhook.body.length + rowOverheadBytes))) {
    deps.inbox.metrics.answered(partner, 'unavailable', performance.now() - webhook.arrivedAtMs);
    throw inboxUnavailable({ headers: retrySoon(), context: { fault: 'turn' } });
  }
  const { status, body } = await receiveWebhook(deps, webhook);
  return status === 200 ? body : reply(status, body);
};

const refuses = {
  401: 'Not authentic; always the same answer, whatever was wrong, also for an endpoint that does not exist. The company finds the reason by the `requestId` among its receipts',
  413: "The body is larger than the endpoint's limit: 256 KiB unless it says otherwise, 1 MiB at most",
  415: 'The body has a `Content-Encoding` or `Transfer-Encoding` other than `chunked`: send the signed bytes as they are',
  503: 'Not stored in time, or the endpoint is paused: send the same event again after `Retry-After` seconds',
};

const isPartner = (name: string): name is PartnerName => (partnerNames as readonly string[]).includes(name);

/**
 * The token of endpoints that nothing is signed for. In the query, because neither the hub nor the proxy in `deploy/`
 * writes queries to its log.
 */
const receiverQuery = z.object({
  token: z.unknown().optional().describe('The token that belongs to the address, where nothing is signed.'),
});
const tokenIn = ({ token }: { token?: unknown }): string | null => (typeof token === 'string' ? token : null);

const receiveAtEndpoint = defineRoute({
  method: 'POST',
  path: '/webhooks/:partner/:endpointId',
  operationId: 'receiveWebhook',
  summary: 'Receive a webhook of a partner',
  description: `Answers 2xx only after the event is durably stored. Every failed authentication gets the same 401.\n\n${describeSchemes(null)}`,
  takes: schemeHeaders(null),
  refuses,
  access: 'signature',
  rawBody: true,
  bodyLimitBytes,
  input: { params: z.object({ partner: z.string(), endpointId: z.string() }), query: receiverQuery },
  output,
  handler: ({ input, deps, request }) => {
    const { partner, endpointId } = input.params;
    if (!isPartner(partner)) throw notAuthentic();
    return receive(deps, {
      partner,
      endpointId: endpointId.toLowerCase(),
      urlToken: tokenIn(input.query),
      body: input.body as unknown as Buffer,
      request,
    });
  },
});

const receiveAtBareAddress = (partner: PartnerName) =>
  defineRoute({
    method: 'POST',
    path: `/webhooks/${partner}`,
    operationId: `receive${partner.charAt(0).toUpperCase()}${partner.slice(1)}Webhook`,
    summary: `Receive a webhook of ${partner} at the address without an endpoint`,
    description: `The account named in the signed body must belong to exactly one endpoint whose secret verifies.\n\n${describeSchemes(partner)}`,
    takes: schemeHeaders(partner),
    refuses,
    access: 'signature',
    rawBody: true,
    bodyLimitBytes,
    output,
    handler: ({ input, deps, request }) =>
      receive(deps, { partner, endpointId: null, urlToken: null, body: input.body as unknown as Buffer, request }),
  });

const partnerHealth = z.object({ active: z.boolean().describe('Whether an active endpoint of the partner exists.') });

const health = defineRoute({
  method: 'GET',
  path: '/webhooks/health',
  operationId: 'getWebhookHealth',
  summary: 'Tell whether webhooks can be received, per partner',
  access: 'public',
  output: {
    200: z.object({
      status: z.enum(['ok', 'degraded']),
      partners: z.object({ benevity: partnerHealth, goodera: partnerHealth, workday: partnerHealth }),
    }),
  },
  handler: ({ deps: { endpoints } }) => {
    const of = (partner: PartnerName) => ({ active: endpoints.hasActive(partner) });
    const partners = { benevity: of('benevity'), goodera: of('goodera'), workday: of('workday') };
    const isOk = endpoints.isCurrent() && Object.values(partners).some(({ active }) => active);
    return { status: isOk ? 'ok' : 'degraded', partners };
  },
});

export const inboxRoutes = [health, ...partnerNames.map(receiveAtBareAddress), receiveAtEndpoint];
