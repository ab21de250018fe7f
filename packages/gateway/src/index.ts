export { createAccessPolicy, type AccessPolicyOptions } from './create-access-policy.ts';
