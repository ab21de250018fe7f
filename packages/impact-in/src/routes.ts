import { deliveryRoutes } from './deliveries/routes.ts';
import { endpointRoutes } from './endpoints/routes.ts';
import { inboxRoutes } from './inbox/routes.ts';
import { replayRoutes } from './replay/routes.ts';

export const routes = [...inboxRoutes, ...endpointRoutes, ...deliveryRoutes, ...replayRoutes];
