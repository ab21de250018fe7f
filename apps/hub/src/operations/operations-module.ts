import { defineModule } from '@impact-hub/core';
import { changeRoutes } from './change-routes.ts';
import type { OperationsDeps } from './deps.ts';
import { resetFiguresRoutes } from './reset-figures.ts';
import { viewRoutes } from './view-routes.ts';

/** What those who run the installation see and do. Its scopes reach over all companies. */
export const operationsModule = defineModule<OperationsDeps>({
  name: 'operations',
  description: 'The state of the whole installation, for those who run it.',
  routes: [...viewRoutes, ...resetFiguresRoutes, ...changeRoutes],
  scopes: {
    'operations:read': 'See the state of the whole installation, over all companies.',
    'operations:manage': 'Reset circuit breakers and figures, and clear caches, for all companies.',
  },
});
