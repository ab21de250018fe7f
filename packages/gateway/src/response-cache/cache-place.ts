import type { Call, Principal, RouteCache } from '@impact-hub/core';

/** Where the answer of a call is kept, and by what it is found again. */
export type CachePlace = {
  /** Equal exactly for calls that may share an answer. Holds ids of callers: hashed before it leaves the process. */
  id: string;
  /** With parameters filled in and the query in its one order. */
  path: string;
  /** `operationId /path?query`: what operators name in patterns. */
  label: string;
  /** The route's tags with parameters filled in. */
  tags: readonly string[];
};

const callers = new WeakMap<Principal, string>();

/** What of a caller an answer may depend on. Remembered per principal, because a cached key's is one and the same object. */
const callerOf = (principal: Principal): string => {
  const known = callers.get(principal);
  if (known !== undefined) return known;
  const scopes = [...principal.scopes].sort();
  const text = JSON.stringify(
    principal.kind === 'api_key'
      ? ['key', principal.companyId, principal.keyId, principal.environment, scopes]
      : principal.kind === 'person'
        ? ['person', principal.companyId, principal.personId, principal.role, scopes]
        : ['anonymous'],
  );
  callers.set(principal, text);
  return text;
};

const companyOf = (principal: Principal): string =>
  JSON.stringify([
    'company',
    principal.companyId,
    principal.kind,
    principal.kind === 'api_key' ? principal.environment : '',
    [...principal.scopes].sort(),
  ]);

const sharerOf = (principal: Principal, sharedBy: RouteCache['sharedBy']): string => {
  switch (sharedBy) {
    case 'everybody':
      return '';
    case 'company':
      return companyOf(principal);
    case 'caller':
    case undefined:
      return callerOf(principal);
  }
};

type Fields = Readonly<Record<string, unknown>>;

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : value instanceof Date ? value.toISOString() : JSON.stringify(value);

/** Sorted, with defaults filled in: two spellings of one question have one place. */
const canonicalQuery = (query: Fields): string =>
  Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(textOf(value))}`)
    .sort()
    .join('&');

const parameter = /:(\w+)/g;
const noFields: Fields = {};

/** The place of a call. Only what the handler gets counts: unvalidated query fields never reach it. */
export const cachePlaceOf = ({ route, principal, input }: Call, cache: RouteCache): CachePlace => {
  const params = (input.params ?? noFields) as Fields;
  const query = canonicalQuery((input.query ?? noFields) as Fields);
  const fill = (template: string): string =>
    template.replaceAll(parameter, (_, name: string) =>
      encodeURIComponent(
        name in params ? textOf(params[name]) : name === 'companyId' ? (principal.companyId ?? '') : '',
      ),
    );
  const path = `${fill(route.path)}${query === '' ? '' : `?${query}`}`;
  const label = `${route.operationId} ${path}`;
  return { path, id: `${label}\n${sharerOf(principal, cache.sharedBy)}`, label, tags: cache.tags.map(fill) };
};
