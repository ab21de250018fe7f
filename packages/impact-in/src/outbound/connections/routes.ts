import { actorOf } from '@impact-hub/audit';
import { decodeCursor, routeDefiner, toPage, type CompanyPrincipal, type RequestInfo } from '@impact-hub/core';
import { z } from 'zod';
import type { ImpactInDeps } from '../../deps.ts';
import type { EndpointMaker } from '../../endpoints/create-endpoint.ts';
import { connectionNotFound } from '../../problems.ts';
import { breakerNameOf } from '../sending/breaker-name.ts';
import { changeConnection } from './change-connection.ts';
import { readCircuits } from './circuit.ts';
import { createConnection, viewConnection } from './create-connection.ts';
import { credentialsPurpose } from './credentials.ts';
import { deleteConnection } from './delete-connection.ts';
import { findConnection, selectConnections } from './repository.ts';
import {
  changeConnectionBody,
  connectionListQuery,
  connectionPage,
  connectionParams,
  connectionTestView,
  connectionView,
  createConnectionBody,
} from './schema.ts';
import { testConnection } from './test-connection.ts';

const defineRoute = routeDefiner<ImpactInDeps>();
const canRead = { scopes: ['connections:read'] } as const;
const canManage = { scopes: ['connections:manage'] } as const;
const path = '/api/v1/impact-in/connections';

const makerOf = (principal: CompanyPrincipal, request: RequestInfo): EndpointMaker => ({
  actor: actorOf(principal),
  request,
});

/** Loads the company's key before the transaction holds a connection. */
const loadKey = ({ crypto }: ImpactInDeps, { companyId }: CompanyPrincipal) =>
  crypto.openSealer({ companyId, purpose: credentialsPurpose });

const create = defineRoute({
  method: 'POST',
  path,
  operationId: 'createConnection',
  summary: 'Create a connection to a partner’s API',
  description: 'The credentials are kept encrypted and never shown again.',
  access: canManage,
  input: { body: createConnectionBody },
  output: { 201: connectionView },
  handler: async ({ input, principal, deps, request }) => {
    await loadKey(deps, principal);
    return deps.db.company(principal.companyId, (tx) =>
      createConnection(tx, deps, makerOf(principal, request), input.body),
    );
  },
});

const list = defineRoute({
  method: 'GET',
  path,
  operationId: 'listConnections',
  summary: 'List the connections of the company, newest first',
  access: canRead,
  input: { query: connectionListQuery },
  output: { 200: connectionPage },
  handler: async ({ input: { query }, principal, deps }) => {
    const { partner, limit } = query;
    const cursor = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
    const rows = await deps.db.company(principal.companyId, (tx) => selectConnections(tx, { partner, cursor, limit }));
    const circuitOf = readCircuits(deps.outbound.breakers, deps.clock.nowMs());
    const page = toPage(rows, limit, (row) => ({ atMs: row.createdAt.getTime(), id: row.id }));
    return { ...page, data: page.data.map((row) => viewConnection(row, circuitOf(row))) };
  },
});

const get = defineRoute({
  method: 'GET',
  path: `${path}/:id`,
  operationId: 'getConnection',
  summary: 'Read one connection, without its credentials',
  access: canRead,
  input: { params: connectionParams },
  output: { 200: connectionView },
  handler: async ({ input, principal, deps }) => {
    const found = await deps.db.company(principal.companyId, (tx) => findConnection(tx, input.params.id));
    if (found === undefined) throw connectionNotFound();
    return viewConnection(found, readCircuits(deps.outbound.breakers, deps.clock.nowMs())(found));
  },
});

const change = defineRoute({
  method: 'PATCH',
  path: `${path}/:id`,
  operationId: 'changeConnection',
  summary: 'Change, pause or resume a connection',
  access: canManage,
  input: { params: connectionParams, body: changeConnectionBody },
  output: { 200: connectionView },
  handler: async ({ input, principal, deps, request }) => {
    await loadKey(deps, principal);
    const changed = await deps.db.company(principal.companyId, (tx) =>
      changeConnection(tx, deps, makerOf(principal, request), input.params.id, input.body),
    );
    // What failed with the address and credentials of before says nothing about those of now.
    deps.outbound.breakers.forget(changed.circuit.name);
    return changed;
  },
});

const remove = defineRoute({
  method: 'DELETE',
  path: `${path}/:id`,
  operationId: 'deleteConnection',
  summary: 'Delete a connection: what it has not sent yet fails',
  access: canManage,
  input: { params: connectionParams },
  output: { 204: z.void() },
  handler: async ({ input, principal, deps, request }) => {
    const { api, id } = await deps.db.company(principal.companyId, (tx) =>
      deleteConnection(tx, deps, makerOf(principal, request), input.params.id),
    );
    deps.outbound.breakers.forget(breakerNameOf({ api, id }));
  },
});

const test = defineRoute({
  method: 'POST',
  path: `${path}/:id/test`,
  operationId: 'testConnection',
  summary: 'Try a connection without sending anything that has an effect',
  access: canManage,
  input: { params: connectionParams },
  output: { 200: connectionTestView },
  idempotency: 'refused',
  handler: async ({ input, principal, deps }) => {
    const found = await deps.db.company(principal.companyId, (tx) => findConnection(tx, input.params.id));
    if (found === undefined) throw connectionNotFound();
    return testConnection(deps, found);
  },
});

export const connectionRoutes = [create, list, get, change, remove, test];
