import type { FastifyRequest } from 'fastify';
import type { Access, Callers } from '../module/define-route.ts';
import type { Principal } from '../module/principal.ts';

/**
 * Decides who is calling and whether the route's `access` lets them. Runs before the body is read.
 * @param callers who of them may call the route; left out, people and live keys
 * @throws ProblemError 401 or 403
 */
export type AccessPolicy = (
  request: FastifyRequest,
  access: Access,
  callers?: Callers,
) => Principal | Promise<Principal>;
