export { createAccessPolicy, type AccessPolicyOptions } from './create-access-policy.ts';
export { createIdempotency, type Idempotency, type IdempotencyOptions } from './idempotency/create-idempotency.ts';
export { idempotencyModule } from './idempotency/idempotency-module.ts';
