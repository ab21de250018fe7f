import type { AuditActor } from '@impact-hub/audit';
import { coreProblems, newId, type Clock, type Principal, type RequestInfo, type Tx } from '@impact-hub/core';
import { viewOf } from './api-key-view.ts';
import { keepWithinMaker, type MakerBounds } from './keep-within-maker.ts';
import { digestApiKey, generateApiKey, type RandomBytes } from './key-format.ts';
import { environmentNotAllowed, scopeNotHeld } from './problems.ts';
import { recordKeyEvent } from './record-key-event.ts';
import { refusePastExpiry } from './refuse-past-expiry.ts';
import { insertApiKey, publishApiKeyChange } from './repository.ts';
import { defaultRateLimitPerMinute, type ApiKeyView, type CreateApiKeyInput } from './schema.ts';
import type { ApiKeyRow } from './tables.ts';

/**
 * Who makes or changes keys; `scopes` bounds what the new key can get, null is the hub itself. A key that makes keys
 * has further bounds.
 */
export type KeyMaker = {
  actor: AuditActor;
  scopes: ReadonlySet<string> | null;
  bounds?: MakerBounds | null;
  request?: Pick<RequestInfo, 'id' | 'ip' | 'userAgent'>;
};

type Deps = { clock: Clock; scopeCatalogue: Readonly<Record<string, string>>; random?: RandomBytes };

const refuseUnknownScopes = (scopes: readonly string[], catalogue: Readonly<Record<string, string>>): void => {
  const unknown = scopes.filter((scope) => !Object.hasOwn(catalogue, scope));
  if (unknown.length === 0) return;
  throw coreProblems.requestInvalid({
    detail: `Unknown scopes: ${unknown.join(', ')}.`,
    errors: unknown.map((scope) => ({ pointer: '/body/scopes', detail: `There is no scope \`${scope}\`.` })),
  });
};

const refuseScopesNotHeld = (scopes: readonly string[], held: ReadonlySet<string> | null): void => {
  const missing = held === null ? [] : scopes.filter((scope) => !held.has(scope));
  if (missing.length === 0) return;
  throw scopeNotHeld({
    detail: `You do not hold: ${missing.join(', ')}.`,
    errors: missing.map((scope) => ({ pointer: '/body/scopes', detail: `You do not hold \`${scope}\`.` })),
  });
};

/** A test key may be lost more easily than a live one, so it reaches nothing live. */
export const refuseLiveFromTest = (principal: Principal, environment: ApiKeyRow['environment']): void => {
  if (principal.kind === 'api_key' && principal.environment === 'test' && environment === 'live')
    throw environmentNotAllowed();
};

/**
 * Makes a key for the transaction's company. The key itself is returned this once and never stored.
 * @throws ProblemError `request.invalid` for an unknown scope, an expiry in the past, addresses or a rate limit beyond
 *   the maker's, `api_keys.scope_not_held`
 */
export const createApiKey = async (
  tx: Tx,
  deps: Deps,
  maker: KeyMaker,
  wanted: CreateApiKeyInput,
): Promise<ApiKeyView & { key: string }> => {
  const { clock, scopeCatalogue, random } = deps;
  const now = clock.now();
  const input = maker.bounds ? keepWithinMaker(wanted, maker.bounds) : wanted;
  refuseUnknownScopes(input.scopes, scopeCatalogue);
  refuseScopesNotHeld(input.scopes, maker.scopes);
  refusePastExpiry(input.expiresAt, now);
  if (tx.companyId === null) throw new Error('createApiKey needs the transaction of a company');
  const { key, keyId } = generateApiKey(input.environment, random);
  const row: ApiKeyRow = {
    ...input,
    id: newId(),
    companyId: tx.companyId,
    keyId,
    rateLimitPerMinute: input.rateLimitPerMinute ?? defaultRateLimitPerMinute,
    expiresAt: input.expiresAt ?? null,
    enabled: true,
    createdBy: `${maker.actor.kind}:${maker.actor.id}`,
    createdAt: now,
    updatedAt: now,
    revokedAt: null,
    revokedBy: null,
    revokeReason: null,
  };
  await insertApiKey(tx, row, Buffer.from(digestApiKey(key), 'base64'));
  await recordKeyEvent(tx, maker, row, {
    type: 'api_key.created',
    category: 'admin',
    metadata: {
      environment: input.environment,
      scopes: input.scopes,
      rateLimitPerMinute: row.rateLimitPerMinute,
      expiresAt: row.expiresAt?.toISOString() ?? null,
      allowedIps: input.allowedIps,
    },
  });
  await publishApiKeyChange(tx, keyId);
  return { ...viewOf({ key: row, usage: null }, now), key };
};
