export { createAccessPolicy, type AccessPolicyOptions } from './create-access-policy.ts';
export { createIdempotency, type Idempotency, type IdempotencyOptions } from './idempotency/create-idempotency.ts';
export { idempotencyModule } from './idempotency/idempotency-module.ts';
export { createIdentitySigner } from './upstreams/identity-signer.ts';
export { createUpstreams } from './upstreams/create-upstreams.ts';
export { refuseCollisions } from './upstreams/refuse-collisions.ts';
export { parseUpstreamsFile, UpstreamsFileError, type UpstreamsFile } from './upstreams/upstream-settings.ts';
export type { UpstreamDeps } from './upstreams/upstream.ts';
