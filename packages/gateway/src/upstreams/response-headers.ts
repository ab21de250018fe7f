import { endsHere } from './hop-headers.ts';
import { setsOwnCookie } from './request-headers.ts';

type Headers = Readonly<Record<string, number | string | string[] | undefined>>;

/** Which of its own headers the hub keeps although the upstream sends one of that name. */
const hubDecides = (name: string): boolean =>
  name === 'x-request-id' ||
  name === 'x-content-type-options' ||
  name === 'strict-transport-security' ||
  name.startsWith('ratelimit') ||
  name.startsWith('x-ratelimit-');

/** Would sign people out of the hub, or put their browsers under the upstream's command for all of the hub. */
const neverPassed: ReadonlySet<string> = new Set(['clear-site-data', 'service-worker-allowed']);

/** `Location` under the target becomes one under the prefix. */
const rewriteLocation = (value: string, target: URL, prefix: string, strips: boolean): string => {
  const url = URL.parse(value, target.href);
  const base = target.pathname.replace(/\/$/, '');
  if (url === null || url.origin !== target.origin || !/^(\/|https?:)/i.test(value)) return value;
  if (url.pathname !== base && !url.pathname.startsWith(`${base}/`)) return value;
  const rest = url.pathname.slice(base.length);
  return `${strips ? prefix : ''}${rest}${url.search}${url.hash}`;
};

export type ResponseHeaderRules = { target: URL; prefix: string; stripPrefix: boolean };

const passes = (name: string, value: string, hub: Headers, ends: (name: string) => boolean): boolean => {
  if (ends(name) || neverPassed.has(name) || (hubDecides(name) && hub[name] !== undefined)) return false;
  return name !== 'set-cookie' || !setsOwnCookie(value);
};

/**
 * The header fields of the answer as `[name, value, …]`: the upstream's, with the hub's where the upstream is silent
 * or the matter is the hub's.
 */
export const clientResponseHeaders = (upstream: Headers, hub: Headers, rules: ResponseHeaderRules): string[] => {
  const connection = upstream['connection'];
  const ends = endsHere(typeof connection === 'string' ? connection : undefined);
  const sent: string[] = [];
  for (const name in upstream) {
    const values = upstream[name];
    for (const value of Array.isArray(values) ? values : [String(values)])
      if (passes(name, value, hub, ends))
        sent.push(
          name,
          name === 'location' ? rewriteLocation(value, rules.target, rules.prefix, rules.stripPrefix) : value,
        );
  }
  for (const name in hub)
    if (upstream[name] === undefined || hubDecides(name) || ends(name)) sent.push(name, String(hub[name]));
  return sent;
};
