import { isAPIError } from 'better-auth/api';
import type { RequestInfo } from '@impact-hub/core';
import { clientIpHeader } from './create-better-auth.ts';

/** The headers better-auth may see of a request: cookie, browser, and the address we resolved ourselves. */
export const authHeaders = (request: RequestInfo): Headers => {
  const headers = new Headers({ [clientIpHeader]: request.ip });
  const { cookie } = request.headers;
  if (typeof cookie === 'string') headers.set('cookie', cookie);
  if (request.userAgent !== undefined) headers.set('user-agent', request.userAgent.slice(0, 500));
  return headers;
};

/** The `Set-Cookie` lines of an answer. */
export const cookiesOf = (headers: Headers): Record<string, string[]> => ({ 'set-cookie': headers.getSetCookie() });

/** The answer of better-auth, or undefined when it refused; anything else it throws goes on. */
export const unlessRefused = async <T>(call: Promise<T>): Promise<T | undefined> => {
  try {
    return await call;
  } catch (error) {
    if (isAPIError(error) && error.statusCode < 500) return undefined;
    throw error;
  }
};
