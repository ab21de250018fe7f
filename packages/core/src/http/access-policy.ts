import type { FastifyRequest } from 'fastify';
import type { Access, Environment } from '../module/define-route.ts';
import type { Principal } from '../module/principal.ts';

/**
 * Decides who is calling and whether the route's `access` lets them. Runs before the body is read.
 * @param environments whose keys may call the route; left out, those of live keys only
 * @throws ProblemError 401 or 403
 */
export type AccessPolicy = (
  request: FastifyRequest,
  access: Access,
  environments?: readonly Environment[],
) => Principal | Promise<Principal>;
