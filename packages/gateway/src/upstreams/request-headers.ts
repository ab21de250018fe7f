import { traceHeaders } from '@impact-hub/core';
import type { FastifyRequest } from 'fastify';
import { endsHere } from './hop-headers.ts';

/**
 * What the hub itself reads or writes: credentials, and claims about the caller that only the hub may make. Besides,
 * what some servers believe over the request itself: its method, path, host or sender would not be those admitted.
 */
const ownHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'client-ip',
  'expect',
  'fastly-client-ip',
  'front-end-https',
  'host',
  // Becomes HTTP_PROXY in the environment of CGI programs.
  'proxy',
  'traceparent',
  'tracestate',
  'true-client-ip',
  'via',
  'x-api-key',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-host',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-originating-ip',
  'x-real-ip',
  'x-remote-addr',
  'x-remote-ip',
  'x-request-id',
  'x-scheme',
  'x-url-scheme',
]);
const ownPrefixes = ['x-hub-', 'x-forwarded', 'forwarded', 'x-original-', 'x-rewrite-', 'cf-connecting-'];

/** Underscores, too: some servers read `X_Hub_Identity` as `X-Hub-Identity`. */
const isOwn = (name: string): boolean =>
  ownHeaders.has(name) || ownPrefixes.some((prefix) => name.startsWith(prefix)) || name.includes('_');

/** A cookie without a name is sent back as its value alone, and so reads as whatever name that begins with. */
const ownCookie = /^\s*=?\s*(__Secure-|__Host-)?hub\./;

/** The cookies without the hub's own; undefined when nothing is left. */
export const foreignCookies = (header: string): string | undefined => {
  const kept = header.split(';').filter((cookie) => !ownCookie.test(cookie));
  return kept.length === 0 ? undefined : kept.join(';').trim();
};

/** Whether a `Set-Cookie` value would set one of the hub's own cookies. */
export const setsOwnCookie = (value: string): boolean => ownCookie.test(value);

/** The header fields for the upstream as `[name, value, …]`: the client's, less what is the hub's, plus what it adds. */
export const upstreamRequestHeaders = (request: FastifyRequest, identity: string): string[] => {
  const { rawHeaders, headers } = request.raw;
  const ends = endsHere(headers.connection);
  const { traceparent, tracestate } = traceHeaders();
  const sent = [
    'x-hub-identity',
    identity,
    'x-request-id',
    request.id,
    'x-forwarded-for',
    request.ip,
    'x-forwarded-proto',
    request.protocol,
    'x-forwarded-host',
    request.host,
    'via',
    headers.via === undefined ? '1.1 impact-hub' : `${headers.via}, 1.1 impact-hub`,
  ];
  if (traceparent !== undefined) sent.push('traceparent', traceparent);
  if (tracestate !== undefined) sent.push('tracestate', tracestate);
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    if (isOwn(name) || ends(name)) continue;
    const value = name === 'cookie' ? foreignCookies(rawHeaders[index + 1]!) : rawHeaders[index + 1]!;
    if (value !== undefined) sent.push(name, value);
  }
  return sent;
};
