import { environmentsOf } from '@impact-hub/core';
import { statusOf } from './api-key-view.ts';
import type { RouteTableEntry } from './deps.ts';
import type { EffectiveAccess } from './schema.ts';
import type { ApiKeyRow } from './tables.ts';

const requiredScopes = ({ access }: RouteTableEntry): readonly string[] =>
  access === 'signedIn' || access === 'public' || access === 'signature' ? [] : access.scopes;

/** The endpoints a key may call, read from the same table the server enforces. Public endpoints need no key and are left out. */
export const effectiveAccess = (
  key: ApiKeyRow,
  options: { routeTable: readonly RouteTableEntry[]; scopeCatalogue: Readonly<Record<string, string>>; now: Date },
): EffectiveAccess => {
  const status = statusOf(key, options.now);
  const held = new Set(key.scopes);
  const callable = (route: RouteTableEntry): boolean =>
    route.access !== 'public' &&
    route.access !== 'signature' &&
    route.onlyFor === undefined &&
    environmentsOf(route).includes(key.environment) &&
    requiredScopes(route).every((scope) => held.has(scope));
  return {
    keyId: key.keyId,
    status,
    scopes: key.scopes.map((scope) => ({ scope, description: options.scopeCatalogue[scope] ?? '' })),
    endpoints:
      status === 'active'
        ? options.routeTable.filter(callable).map((route) => ({
            method: route.method,
            path: route.path,
            operationId: route.operationId,
            summary: route.summary,
            scopes: [...requiredScopes(route)],
          }))
        : [],
  };
};
