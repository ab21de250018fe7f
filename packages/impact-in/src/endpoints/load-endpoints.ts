import { compileIpRanges, type Clock, type Sql } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import { readPinnedKeys, type PinnedKey } from '../verification/pinned-keys.ts';
import type { PartnerName, Profile } from '../verification/profile.ts';
import { secretKey } from '../verification/secret-key.ts';
import { readTokenKey, type TokenSigningKey } from '../verification/token-key.ts';
import type { SecretRow as StoredSecret } from '../tables.ts';
import {
  receiptPurpose,
  secretContext,
  secretPurpose,
  type Endpoint,
  type EndpointTrust,
  type HeldSecret,
} from './endpoint.ts';
import { profileOfEndpoint } from './new-secrets.ts';
import type { EndpointSettings } from './scheme-settings.ts';

type SecretRow = {
  id: string;
  kind: StoredSecret['kind'];
  ciphertext: string;
  generation: number;
  notAfter: string | null;
};
type EndpointRow = {
  id: string;
  company_id: string;
  partner: PartnerName;
  scheme: string;
  state: 'active' | 'paused';
  hint: string | null;
  has_matched: boolean;
  claimed_at: Date;
  is_silent: boolean;
  tolerance_seconds: number;
  body_limit_bytes: number;
  allowed_networks: string[] | null;
  settings: EndpointSettings;
  secrets: string;
};

type HeldKind = Exclude<StoredSecret['kind'], 'token_key'>;

/** What a stored secret opens to; kept by secret id, so that a reload decrypts only what is new. */
type OpenSecret = { ciphertext: string; notAfterMs: number } & (
  | { kind: HeldKind; key: HeldSecret['key'] }
  | { kind: 'token_key'; key: TokenSigningKey }
);

export type EndpointLoader = {
  /** Active and paused endpoints, deleted ones not, with those secrets that can be opened; all, or the named ones. */
  load(ids: readonly string[] | 'all'): Promise<Endpoint[]>;
};

type Deps = { sql: Sql; crypto: Crypto; clock: Clock; onSecretUnreadable(secretId: string, error: unknown): void };

const readRows = (sql: Sql, ids: readonly string[] | 'all') => sql<EndpointRow[]>`
  select e.id, e.company_id, e.partner, e.scheme, e.state, e.hint, e.tolerance_seconds, e.body_limit_bytes,
         e.allowed_networks, e.settings, coalesce(s.secrets, '[]')::text as secrets,
         coalesce(s.has_matched, false) as has_matched, coalesce(e.hint_since, e.created_at) as claimed_at,
         e.silent_since is not null as is_silent
  from impact_in_endpoint e
  left join lateral (
    select json_agg(json_build_object('id', id, 'kind', kind, 'ciphertext', ciphertext, 'generation', generation,
                                      'notAfter', not_after) order by generation desc, id desc) as secrets,
           bool_or(last_matched_at > coalesce(e.hint_since, '-infinity')) as has_matched
    from impact_in_endpoint_secret where endpoint_id = e.id and state = 'active'
  ) s on true
  where e.deleted_at is null and ${ids === 'all' ? sql`true` : sql`e.id = any(${[...ids]}::uuid[])`}`;

const profileFor = (row: EndpointRow): Profile | null => {
  const profile = profileOfEndpoint(row);
  if (profile === null || !profile.partners.includes(row.partner)) return null;
  return profile.family === 'hmac' ? { ...profile, toleranceSeconds: row.tolerance_seconds } : profile;
};

type PinKeys = (endpointId: string, jwks: unknown) => Promise<readonly PinnedKey[]>;

/** Making keys of their text costs more than all the rest of a load; it is done once. */
const createKeyPins = (): { pin: PinKeys; keep(endpointIds: ReadonlySet<string>): void } => {
  const pinned = new Map<string, { text: string; keys: readonly PinnedKey[] }>();
  return {
    pin: async (endpointId, jwks) => {
      const text = JSON.stringify(jwks);
      const known = pinned.get(endpointId);
      if (known?.text === text) return known.keys;
      const keys = await readPinnedKeys(jwks);
      pinned.set(endpointId, { text, keys });
      return keys;
    },
    keep: (endpointIds) => {
      for (const id of pinned.keys()) if (!endpointIds.has(id)) pinned.delete(id);
    },
  };
};

/** Null when the endpoint has none, or a damaged one: then it believes nobody. */
const trustOf = async ({ id, settings: { jwt } }: EndpointRow, pin: PinKeys): Promise<EndpointTrust | null> => {
  if (jwt === undefined) return null;
  const { issuer, audience, jwksUrl, jwks } = jwt;
  try {
    const trust = { issuer, audience, thumbprints: jwt.thumbprints === undefined ? null : new Set(jwt.thumbprints) };
    return jwksUrl === undefined ? { ...trust, keys: await pin(id, jwks) } : { ...trust, jwksUrl };
  } catch {
    return null;
  }
};

/** @param deps.sql a pool of the system role */
export const createEndpointLoader = (deps: Deps): EndpointLoader => {
  const opened = new Map<string, OpenSecret>();
  const keyPins = createKeyPins();

  const decrypt = async (row: EndpointRow, secret: SecretRow, profile: Profile): Promise<OpenSecret | null> => {
    const notAfterMs = secret.notAfter === null ? Infinity : new Date(secret.notAfter).getTime();
    const known = opened.get(secret.id);
    if (known?.ciphertext === secret.ciphertext) return { ...known, notAfterMs };
    const plaintext = await deps.crypto.decrypt({
      companyId: row.company_id,
      purpose: secretPurpose,
      context: secretContext(secret.id),
      ciphertext: secret.ciphertext,
    });
    const text = plaintext.toString('utf8');
    plaintext.fill(0);
    const common = { ciphertext: secret.ciphertext, notAfterMs };
    if (secret.kind === 'token_key') return { ...common, kind: secret.kind, key: await readTokenKey(text) };
    const encoding = secret.kind === 'webhook_secret' && profile.family === 'hmac' ? profile.keyEncoding : 'utf8';
    const key = secretKey(text, encoding);
    return key === null ? null : { ...common, kind: secret.kind, key };
  };

  const openSecret = async (row: EndpointRow, secret: SecretRow, profile: Profile): Promise<OpenSecret | null> => {
    try {
      const open = await decrypt(row, secret, profile);
      if (open !== null) opened.set(secret.id, open);
      return open;
    } catch (error) {
      // One damaged secret closes its endpoint, not the others; an unreachable database is for the caller to handle.
      if ((error as Error).name !== 'DecryptionFailed' && !(error instanceof SyntaxError || error instanceof TypeError))
        throw error;
      deps.onSecretUnreadable(secret.id, error);
      return null;
    }
  };

  const toEndpoint = async (row: EndpointRow): Promise<Endpoint> => {
    const profile = profileFor(row);
    const held: Record<HeldKind, HeldSecret[]> = {
      webhook_secret: [],
      client_secret: [],
      password: [],
      url_token: [],
      header_token: [],
    };
    const tokenKeys: Endpoint['tokenKeys'][number][] = [];
    for (const secret of profile === null ? [] : (JSON.parse(row.secrets) as SecretRow[])) {
      const open = await openSecret(row, secret, profile as Profile);
      if (open === null) continue;
      const holding = { id: secret.id, generation: secret.generation, notAfterMs: open.notAfterMs };
      if (open.kind === 'token_key') tokenKeys.push({ ...open.key, ...holding });
      else held[open.kind].push({ ...holding, key: open.key });
    }
    const { webhook_secret: webhookSecrets, client_secret: clientSecrets, ...accessSecrets } = held;
    return {
      id: row.id,
      companyId: row.company_id,
      partner: row.partner,
      scheme: row.scheme,
      profile,
      state: row.state,
      isSilent: row.is_silent,
      hint: row.hint,
      hasMatched: row.has_matched,
      claimedAtMs: row.claimed_at.getTime(),
      bodyLimitBytes: row.body_limit_bytes,
      allowsIp: row.allowed_networks === null ? null : compileIpRanges(row.allowed_networks),
      webhookSecrets,
      clientSecrets,
      tokenKeys,
      accessSecrets,
      username: row.settings.username ?? row.id,
      trust: await trustOf(row, keyPins.pin),
      sealer: await deps.crypto.openSealer({ companyId: row.company_id, purpose: receiptPurpose }),
    };
  };

  return {
    load: async (ids) => {
      const rows = await readRows(deps.sql, ids);
      const endpoints: Endpoint[] = [];
      for (const row of rows) endpoints.push(await toEndpoint(row));
      if (ids === 'all') {
        const current = new Set(
          rows.flatMap((row) => (JSON.parse(row.secrets) as SecretRow[]).map((secret) => secret.id)),
        );
        for (const id of opened.keys()) if (!current.has(id)) opened.delete(id);
        keyPins.keep(new Set(rows.map((row) => row.id)));
      }
      return endpoints;
    },
  };
};
