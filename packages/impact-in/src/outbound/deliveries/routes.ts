import { actorOf } from '@impact-hub/audit';
import { routeDefiner, type CompanyPrincipal, type RequestInfo } from '@impact-hub/core';
import { z } from 'zod';
import { selectDeliveriesById } from '../../deliveries/delivery-repository.ts';
import { deliveryView } from '../../deliveries/schema.ts';
import type { ImpactInDeps } from '../../deps.ts';
import { outboundPurpose } from '../sending/outbound-event.ts';
import { sendDeliveriesBody, sendDeliveryBody, type SendDelivery } from './schema.ts';
import { sendDeliveries } from './send-deliveries.ts';

const defineRoute = routeDefiner<ImpactInDeps>();
const access = { scopes: ['deliveries:send'] } as const;
const path = '/api/v1/impact-in/deliveries';

const send = async (
  deps: ImpactInDeps,
  { principal, request }: { principal: CompanyPrincipal; request: RequestInfo },
  deliveries: readonly SendDelivery[],
  pathOf: (index: number, field: string) => string,
) => {
  const { companyId } = principal;
  const sealer = await deps.crypto.openSealer({ companyId, purpose: outboundPurpose });
  return deps.db.company(companyId, async (tx) => {
    const maker = { actor: actorOf(principal), request };
    const ids = await sendDeliveries(tx, { clock: deps.clock, sealer }, maker, deliveries, pathOf);
    return selectDeliveriesById(tx, ids);
  });
};

const sendOne = defineRoute({
  method: 'POST',
  path,
  operationId: 'sendDelivery',
  summary: 'Send an event to a partner',
  description:
    'The delivery is committed before the answer and sent at once, then tried again for two days. Its id is the idempotency key the partner gets.',
  access,
  input: { body: sendDeliveryBody },
  output: { 202: deliveryView },
  handler: async ({ input, deps, ...call }) => (await send(deps, call, [input.body], (_, field) => field))[0],
});

const sendSeveral = defineRoute({
  method: 'POST',
  path: `${path}/batch`,
  operationId: 'sendDeliveries',
  summary: 'Send up to 100 events to partners',
  description: 'All are taken, or none. Where the partner’s API takes several records in one call, they go together.',
  access,
  input: { body: sendDeliveriesBody },
  output: { 202: z.object({ data: z.array(deliveryView) }) },
  handler: async ({ input, deps, ...call }) => ({
    data: await send(deps, call, input.body.deliveries, (index, field) => `deliveries/${index}/${field}`),
  }),
});

export const outboundDeliveryRoutes = [sendOne, sendSeveral];
