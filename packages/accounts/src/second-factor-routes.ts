import { reply, routeDefiner } from '@impact-hub/core';
import { refuseCrossSite } from './auth-routes.ts';
import type { AccountsDeps } from './deps.ts';
import { nothing, passwordBody, secondFactorBody, signedInView, totpCodeBody, totpStartedView } from './schema.ts';
import { confirmTotp, disableTotp, signInWithSecondFactor, startTotp } from './sign-in/second-factor.ts';

const defineRoute = routeDefiner<AccountsDeps>();

const signIn = defineRoute({
  method: 'POST',
  path: '/api/v1/auth/second-factor',
  operationId: 'signInSecondFactor',
  summary: 'Finish signing in with a code',
  access: 'public',
  input: { body: secondFactorBody },
  output: { 200: signedInView },
  handler: async ({ input, deps, request }) => {
    refuseCrossSite(request.headers, deps);
    const { headers, ...body } = await signInWithSecondFactor(deps, input.body.code, request);
    return reply(200, body, headers);
  },
});

// These three change sign-in data on connections of better-auth's own, which no transaction of ours can span.

const start = defineRoute({
  method: 'POST',
  path: '/api/v1/auth/totp',
  operationId: 'startTotp',
  summary: 'Set up an authenticator app',
  description: 'Answers with the address for the QR code and the backup codes; it counts after `/totp/confirm`.',
  access: 'signedIn',
  onlyFor: 'people',
  idempotency: 'refused',
  input: { body: passwordBody },
  output: { 200: totpStartedView },
  handler: ({ input, principal, deps, request }) => startTotp(deps, principal, input.body.password, request),
});

const confirm = defineRoute({
  method: 'POST',
  path: '/api/v1/auth/totp/confirm',
  operationId: 'confirmTotp',
  summary: 'Turn the second factor on with a first code',
  access: 'signedIn',
  onlyFor: 'people',
  idempotency: 'refused',
  input: { body: totpCodeBody },
  output: { 204: nothing },
  handler: async ({ input, principal, deps, request }) =>
    reply(204, undefined, await confirmTotp(deps, principal, input.body.code, request)),
});

const disable = defineRoute({
  method: 'POST',
  path: '/api/v1/auth/totp/disable',
  operationId: 'disableTotp',
  summary: 'Turn the second factor off',
  access: 'signedIn',
  onlyFor: 'people',
  idempotency: 'refused',
  input: { body: passwordBody },
  output: { 204: nothing },
  handler: async ({ input, principal, deps, request }) =>
    reply(204, undefined, await disableTotp(deps, principal, input.body.password, request)),
});

export const secondFactorRoutes = [signIn, start, confirm, disable];
