import { defineModule, type Module } from '@impact-hub/core';
import { limitRoutes, type LimitsDeps } from './routes.ts';

/** What companies may send, as far as operators set it. */
export const limitsModule: Module<LimitsDeps> = defineModule({
  name: 'limits',
  description: 'How many requests a company may send.',
  routes: limitRoutes,
});
