import { changeEndpoint } from './change-endpoint.ts';
import { changeEndpointBody, deletedEndpointView, deleteEndpointBody } from './change-schema.ts';
import { deleteEndpoint } from './delete-endpoint.ts';
import { pingEndpoint } from './ping/ping-endpoint.ts';
import { pingBody, pingView } from './ping/schema.ts';
import { retireSecret } from './retire-secret.ts';
import { rotateSecret } from './rotate-secret.ts';
import { retireSecretBody, rotatedEndpointView, rotateSecretBody, secretParams } from './rotation-schema.ts';
import { canManage, changeNamed, changeOne, defineRoute, loadKey, path } from './route-parts.ts';
import { endpointParams, endpointView } from './schema.ts';
import { setEndpointState } from './set-endpoint-state.ts';

const change = defineRoute({
  method: 'PATCH',
  path: `${path}/:id`,
  operationId: 'changeEndpoint',
  summary: 'Change a receiver without its partner having to know',
  access: canManage,
  input: { params: endpointParams, body: changeEndpointBody },
  output: { 200: endpointView },
  handler: changeNamed((tx, { deps, input }, maker, id) => changeEndpoint(tx, deps, maker, { id, change: input.body })),
});

const remove = defineRoute({
  method: 'DELETE',
  path: `${path}/:id`,
  operationId: 'deleteEndpoint',
  summary: 'Delete a receiver: its address answers as one that never was; what it received stays',
  access: canManage,
  input: { params: endpointParams, body: deleteEndpointBody },
  output: { 200: deletedEndpointView },
  handler: changeNamed((tx, { deps, input }, maker, id) =>
    deleteEndpoint(tx, deps, maker, { id, reason: input.body?.reason }),
  ),
});

const setState = (verb: 'pause' | 'resume', state: 'active' | 'paused', summary: string) =>
  defineRoute({
    method: 'POST',
    path: `${path}/:id/${verb}`,
    operationId: `${verb}Endpoint`,
    summary,
    access: canManage,
    input: { params: endpointParams },
    output: { 200: endpointView },
    handler: changeNamed((tx, { deps }, maker, id) => setEndpointState(tx, deps, maker, { id, state })),
  });

const rotate = defineRoute({
  method: 'POST',
  path: `${path}/:id/rotate-secret`,
  operationId: 'rotateEndpointSecret',
  summary: 'Give a receiver a new secret beside the old one',
  description:
    'The answer is the only place where the new secret ever appears. Both are accepted until `oldSecretEndsAt`; ' +
    '`lastMatchedAt` of the old one tells when the partner has changed over.',
  access: canManage,
  input: { params: endpointParams, body: rotateSecretBody },
  output: { 200: rotatedEndpointView },
  handler: async (call) => {
    await loadKey(call);
    const { id } = call.input.params;
    const { endpoint, credentials, oldSecretEndsAt } = await changeOne(
      call,
      (tx, maker) => rotateSecret(tx, call.deps, maker, { id, rotation: call.input.body }),
      () => id,
    );
    return { ...endpoint, ...credentials, oldSecretEndsAt };
  },
});

const retire = defineRoute({
  method: 'POST',
  path: `${path}/:id/secrets/:secretId/retire`,
  operationId: 'retireEndpointSecret',
  summary: 'End a secret of a receiver now, with what was made together with it',
  description: 'Retiring the newest secret takes its rotation back: the one before stays valid without an end.',
  access: canManage,
  input: { params: secretParams, body: retireSecretBody },
  output: { 200: endpointView },
  handler: changeNamed((tx, { deps, input }, maker, id) =>
    retireSecret(tx, deps, maker, { id, secretId: input.params.secretId, reason: input.body?.reason }),
  ),
});

const ping = defineRoute({
  method: 'POST',
  path: `${path}/:id/ping`,
  operationId: 'pingEndpoint',
  summary: 'Try a receiver with an event that the hub signs as the partner would',
  description:
    'The event is verified and stored as those of the partner are, as a receipt with the outcome `test`. There is no ' +
    'delivery of it, and it does not count as traffic of the partner. 60 at once, then one every two seconds.',
  access: canManage,
  input: { params: endpointParams, body: pingBody },
  output: { 200: pingView },
  idempotency: 'refused',
  handler: async ({ input, deps, principal, request }) =>
    pingEndpoint(deps, { principal, request }, { id: input.params.id, secretId: input.body?.secretId }),
});

export const manageRoutes = [
  ping,
  change,
  remove,
  setState('pause', 'paused', 'Pause a receiver: authentic requests get 503 until it is resumed'),
  setState('resume', 'active', 'Resume a paused receiver'),
  rotate,
  retire,
];
