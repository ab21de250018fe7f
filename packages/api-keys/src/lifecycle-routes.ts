import { routeDefiner } from '@impact-hub/core';
import { changeApiKey } from './change-api-key.ts';
import { changeOneKey, environments } from './change-one-key.ts';
import type { ApiKeysDeps } from './deps.ts';
import { patchBody, retireBody, retiredView, rotateBody, rotatedApiKeyView } from './lifecycle-schema.ts';
import { retireOldSecrets } from './retire-old-secrets.ts';
import { revokeApiKey } from './revoke-api-key.ts';
import { rotateApiKey } from './rotate-api-key.ts';
import { apiKeyView, keyParams, revokeBody } from './schema.ts';

const defineRoute = routeDefiner<ApiKeysDeps>();
const access = { scopes: ['admin'] } as const;

const change = defineRoute({
  method: 'PATCH',
  path: '/admin/api-keys/:keyId',
  operationId: 'changeApiKey',
  summary: 'Rename, limit, disable or enable an API key',
  description:
    'Fields left out stay as they are. Enabling a key, letting it last longer, send more or be used from more addresses' +
    ' needs all of its scopes; a key doing that must itself last as long, send as much and be usable from there.',
  access,
  environments,
  input: { params: keyParams, body: patchBody },
  output: { 200: apiKeyView },
  handler: changeOneKey((tx, { deps, input }, by, target) =>
    changeApiKey(tx, deps, by, { ...target, change: input.body }),
  ),
});

const rotate = defineRoute({
  method: 'POST',
  path: '/admin/api-keys/:keyId/rotate',
  operationId: 'rotateApiKey',
  summary: 'Give an API key a new secret',
  description:
    'The key id, scopes, limits and end stay. The old secret stays valid for the overlap, never longer than it would' +
    ' have been; with `overlapFrom: "first_use"` it has no end until the new one is used. At most two secrets are valid:' +
    ' a new one that was never used is replaced, and the old one stays. The caller gets the new key, so must hold all' +
    ' of its scopes.',
  access,
  environments,
  input: { params: keyParams, body: rotateBody },
  output: { 200: rotatedApiKeyView },
  handler: changeOneKey((tx, { deps, input }, by, target) =>
    rotateApiKey(tx, deps, by, { ...target, rotation: input.body }),
  ),
});

const retireOld = defineRoute({
  method: 'POST',
  path: '/admin/api-keys/:keyId/retire-old',
  operationId: 'retireOldApiKeySecrets',
  summary: 'End the old secrets of a rotated API key now',
  description: 'Read the key first: its `secrets` tell when an old one was last used. Repeating it changes nothing.',
  access,
  environments,
  input: { params: keyParams, body: retireBody },
  output: { 200: retiredView },
  handler: changeOneKey((tx, { deps, input }, by, target) =>
    retireOldSecrets(tx, deps, by, { ...target, reason: input.body?.reason }),
  ),
});

const revoke = defineRoute({
  method: 'DELETE',
  path: '/admin/api-keys/:keyId',
  operationId: 'revokeApiKey',
  summary: 'Revoke an API key for good',
  description: 'From `revokedAt` on, every process refuses the key. Revoking a revoked key changes nothing.',
  access,
  environments,
  input: { params: keyParams, body: revokeBody },
  output: { 200: apiKeyView },
  handler: changeOneKey((tx, { deps, input }, by, target) =>
    revokeApiKey(tx, deps, by, { ...target, reason: input.body?.reason }),
  ),
});

export const lifecycleRoutes = [change, rotate, retireOld, revoke];
