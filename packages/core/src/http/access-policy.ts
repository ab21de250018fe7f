import type { FastifyRequest } from 'fastify';
import type { Access } from '../module/define-route.ts';
import type { Principal } from '../module/principal.ts';

/**
 * Decides who is calling and whether the route's `access` lets them. Runs before the body is read.
 * @throws ProblemError 401 or 403
 */
export type AccessPolicy = (request: FastifyRequest, access: Access) => Principal | Promise<Principal>;
