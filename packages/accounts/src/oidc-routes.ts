import { reply, routeDefiner, type RequestInfo } from '@impact-hub/core';
import { z } from 'zod';
import { refuseCrossSite } from './auth-routes.ts';
import type { AccountsDeps } from './deps.ts';
import { oidcNotConfigured, oidcUnavailable } from './problems.ts';
import { nothing, oidcView } from './schema.ts';
import { authBasePath, oidcProviderId } from './sign-in/create-better-auth.ts';
import { authHeaders, cookiesOf } from './sign-in/call-better-auth.ts';
import { finishOidcSignIn } from './sign-in/finish-oidc-sign-in.ts';

const defineRoute = routeDefiner<AccountsDeps>();

const requireOidc = async ({ accounts }: AccountsDeps) => {
  const { oidcAuth } = accounts.signIn;
  if (oidcAuth === null) throw oidcNotConfigured();
  return oidcAuth().catch((cause: unknown) => {
    throw oidcUnavailable({ cause, headers: { 'retry-after': '30' } });
  });
};

const start = defineRoute({
  method: 'POST',
  path: '/api/v1/auth/oidc',
  operationId: 'startOidcSignIn',
  summary: 'Begin to sign in through the identity provider',
  description: 'Answers with the address to open; its state is in a cookie.',
  access: 'public',
  output: { 200: oidcView },
  handler: async ({ deps, request }) => {
    const auth = await requireOidc(deps);
    refuseCrossSite(request.headers, deps);
    const { response, headers } = await auth.api.signInSocial({
      body: {
        provider: oidcProviderId,
        callbackURL: '/console',
        errorCallbackURL: '/console/sign-in',
        disableRedirect: true,
      },
      headers: authHeaders(request),
      returnHeaders: true,
    });
    return reply(200, { url: response.url ?? '' }, cookiesOf(headers));
  },
});

/** The callback's own request, rebuilt from what our server accepted. */
const callbackRequest = (deps: AccountsDeps, query: Record<string, unknown>, request: RequestInfo): Request => {
  const url = new URL(`${authBasePath}/callback/${oidcProviderId}`, deps.accounts.publicUrl);
  for (const [name, value] of Object.entries(query)) if (typeof value === 'string') url.searchParams.set(name, value);
  return new Request(url, { headers: authHeaders(request) });
};

const callback = defineRoute({
  method: 'GET',
  path: `${authBasePath}/callback/${oidcProviderId}`,
  operationId: 'finishOidcSignIn',
  summary: 'Where the identity provider sends the browser back to',
  access: 'public',
  input: { query: z.record(z.string(), z.unknown()) },
  output: { 302: nothing },
  handler: async ({ input, deps, request }) => {
    const auth = await requireOidc(deps);
    const response = await auth.handler(callbackRequest(deps, input.query, request));
    const headers = await finishOidcSignIn(deps, response, request);
    return reply(302, undefined, headers);
  },
});

export const oidcRoutes = [start, callback];
