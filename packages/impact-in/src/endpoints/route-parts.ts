import { actorOf } from '@impact-hub/audit';
import { routeDefiner, type CompanyPrincipal, type RequestInfo, type Tx } from '@impact-hub/core';
import type { ImpactInDeps } from '../deps.ts';
import type { EndpointMaker } from './create-endpoint.ts';
import { secretPurpose } from './endpoint.ts';

export const defineRoute = routeDefiner<ImpactInDeps>();
export const canRead = { scopes: ['endpoints:read'] } as const;
export const canManage = { scopes: ['endpoints:manage'] } as const;
export const path = '/api/v1/impact-in/endpoints';

type Call = { principal: CompanyPrincipal; deps: ImpactInDeps; request: RequestInfo };

/** Loads the company's key before a transaction holds a connection. */
export const loadKey = ({ deps, principal: { companyId } }: Call): Promise<unknown> =>
  deps.crypto.openSealer({ companyId, purpose: secretPurpose });

/**
 * Does something to one endpoint in a transaction of the caller's company. Then this process knows the change before
 * its caller does; the change is committed, so failing here must not undo the answer.
 */
export const changeOne = async <T>(
  { principal, deps, request }: Call,
  work: (tx: Tx, maker: EndpointMaker) => Promise<T>,
  idOf: (result: T) => string,
): Promise<T> => {
  const maker: EndpointMaker = { actor: actorOf(principal), request };
  const result = await deps.db.company(principal.companyId, (tx) => work(tx, maker));
  await deps.endpoints.reload(idOf(result)).catch(() => undefined);
  return result;
};

type NamedCall<P, B> = Call & { input: { params: P & { id: string }; body: B } };

/** A handler that does something to the endpoint named in the path, as `changeOne` does. */
export const changeNamed =
  <P, B, T>(work: (tx: Tx, call: NamedCall<P, B>, maker: EndpointMaker, id: string) => Promise<T>) =>
  (call: NamedCall<P, B>): Promise<T> => {
    const { id } = call.input.params;
    return changeOne(
      call,
      (tx, maker) => work(tx, call, maker, id),
      () => id,
    );
  };
