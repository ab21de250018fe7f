import { defineModule, type Module } from '@impact-hub/core';
import type { ApiKeysDeps } from './deps.ts';
import { routes } from './routes.ts';
import { usageRoutes } from './usage/usage-routes.ts';
import { usageSchedules } from './usage/schedules.ts';

export { apiKeyPattern, inspectApiKey } from './key-format.ts';
export { createApiKey, type KeyMaker } from './create-api-key.ts';
export { apiKeyTopic } from './repository.ts';
export { addNewScopes } from './add-new-scopes.ts';
export { revokeApiKey } from './revoke-api-key.ts';
export { effectiveAccess } from './effective-access.ts';
export type { ApiKeysDeps, RouteTableEntry } from './deps.ts';
export { createLeakReports, type LeakedKeyPolicy, type LeakReports } from './leaks/leak-reports.ts';
export { createKeyWatchMetrics, type KeyWatchMetrics } from './usage/usage-metrics.ts';
export type { ApiKeyView, CreateApiKeyInput, EffectiveAccess } from './schema.ts';
export {
  createApiKeyVerifier,
  type ApiKeyVerifier,
  type ApiKeyVerifierOptions,
  type VerifyResult,
} from './verification/api-key-verifier.ts';
export type { RefusalReason } from './verification/verification-metrics.ts';

/** Making, reading, changing and revoking API keys, and their usage; verification is `createApiKeyVerifier`. */
export const apiKeysModule: Module<ApiKeysDeps> = defineModule({
  name: 'api-keys',
  description: 'Keys of a company: made, rotated, disabled and revoked, with what they were used for.',
  routes: [...routes, ...usageRoutes],
  schedules: usageSchedules,
  scopes: {
    'data:read': 'Read the data of the company.',
    'data:write': 'Change the data of the company.',
    'report:view': 'View reports.',
    'report:create': 'Make reports.',
    admin: 'Administer the company: keys, people and settings.',
  },
});
