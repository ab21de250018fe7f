import { connectionRoutes } from './outbound/connections/routes.ts';
import { outboundDeliveryRoutes } from './outbound/deliveries/routes.ts';
import { deliveryRoutes } from './deliveries/routes.ts';
import { endpointRoutes } from './endpoints/routes.ts';
import { inboxRoutes } from './inbox/routes.ts';
import { receiptRoutes } from './receipts/routes.ts';
import { replayRoutes } from './replay/routes.ts';

export const routes = [
  ...connectionRoutes,
  ...outboundDeliveryRoutes,
  ...inboxRoutes,
  ...endpointRoutes,
  ...deliveryRoutes,
  ...receiptRoutes,
  ...replayRoutes,
];
