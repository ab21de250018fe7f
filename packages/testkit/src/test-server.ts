import {
  buildHttpServer,
  coreProblems,
  createHttpMetrics,
  createLogger,
  createMetrics,
  newId,
  type BoundModule,
  type CompanyPrincipal,
} from '@impact-hub/core';

const callerHeader = 'x-test-caller';

/** A key's principal with the given scopes. */
export const keyPrincipal = (companyId: string, scopes: readonly string[]): CompanyPrincipal => ({
  kind: 'api_key',
  keyId: newId().replaceAll('-', '').slice(-12),
  secretId: newId(),
  companyId,
  environment: 'test',
  scopes: new Set(scopes),
  rateLimitPerMinute: 1_000_000,
});

/**
 * A real server over the given modules, called as a principal of the test's choice: authentication is replaced, the
 * check of scopes is not. For tests of one domain's routes; the hub's own tests use real keys and sessions.
 */
export const createTestServer = (modules: readonly BoundModule[]) => {
  const callers = new Map<string, CompanyPrincipal>();
  const server = buildHttpServer({
    modules,
    log: createLogger({ level: 'silent' }),
    metrics: createHttpMetrics(createMetrics()),
    authorize: (request, access) => {
      const caller = callers.get(String(request.headers[callerHeader]));
      if (caller === undefined) throw coreProblems.unauthenticated();
      const needed = typeof access === 'object' ? access.scopes : [];
      if (!needed.every((scope) => caller.scopes.has(scope))) throw coreProblems.forbidden();
      return caller;
    },
  });
  return {
    server,
    /** Sends one request as `caller`, or without credentials when there is none. */
    call: (
      caller: CompanyPrincipal | undefined,
      method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
      url: string,
      body?: unknown,
      headers: Record<string, string> = {},
    ) => {
      const id = newId();
      if (caller !== undefined) callers.set(id, caller);
      return server.inject({
        method,
        url,
        headers: {
          [callerHeader]: id,
          ...(body === undefined || Buffer.isBuffer(body) ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
      });
    },
    close: () => server.close(),
  };
};
