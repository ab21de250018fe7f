import { routeDefiner, type CompanyPrincipal, type RequestInfo, type Tx } from '@impact-hub/core';
import { changeApiKey } from './change-api-key.ts';
import { refuseLiveFromTest, type KeyMaker } from './create-api-key.ts';
import type { ApiKeysDeps } from './deps.ts';
import { patchBody, retireBody, retiredView, rotateBody, rotatedApiKeyView } from './lifecycle-schema.ts';
import type { KeyTarget } from './lock-changeable-key.ts';
import { makerOf } from './request-maker.ts';
import { retireOldSecrets } from './retire-old-secrets.ts';
import { rotateApiKey } from './rotate-api-key.ts';
import { apiKeyView, keyParams } from './schema.ts';

const defineRoute = routeDefiner<ApiKeysDeps>();
const access = { scopes: ['admin'] } as const;
/** A test key changes test keys only: `refuseLiveFromTest`. */
const environments = ['live', 'test'] as const;

type Call = { principal: CompanyPrincipal; deps: ApiKeysDeps; request: RequestInfo };

/** Runs a change of one key in a transaction of the caller's company. */
const changing = <T>(
  call: Call,
  keyId: string,
  change: (tx: Tx, by: KeyMaker, target: KeyTarget) => Promise<T>,
): Promise<T> => {
  const { principal, deps } = call;
  const mayChange: KeyTarget['mayChange'] = ({ environment }) => refuseLiveFromTest(principal, environment);
  return deps.db.company(principal.companyId, async (tx) =>
    change(tx, await makerOf(tx, call, keyId), { keyId, mayChange }),
  );
};

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
  handler: (call) =>
    changing(call, call.input.params.keyId, (tx, by, target) =>
      changeApiKey(tx, call.deps, by, { ...target, change: call.input.body }),
    ),
});

const rotate = defineRoute({
  method: 'POST',
  path: '/admin/api-keys/:keyId/rotate',
  operationId: 'rotateApiKey',
  summary: 'Give an API key a new secret',
  description:
    'The key id, scopes, limits and end stay. The old secret stays valid for the overlap, never longer than it would' +
    ' have been; with `overlapFrom: "first_use"` it has no end until the new one is used. At most two secrets are' +
    ' valid. The caller gets the new key, so must hold all of its scopes.',
  access,
  environments,
  input: { params: keyParams, body: rotateBody },
  output: { 200: rotatedApiKeyView },
  handler: (call) =>
    changing(call, call.input.params.keyId, (tx, by, target) =>
      rotateApiKey(tx, call.deps, by, { ...target, rotation: call.input.body }),
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
  handler: (call) =>
    changing(call, call.input.params.keyId, (tx, by, target) =>
      retireOldSecrets(tx, call.deps, by, { ...target, reason: call.input.body?.reason }),
    ),
});

export const lifecycleRoutes = [change, rotate, retireOld];
