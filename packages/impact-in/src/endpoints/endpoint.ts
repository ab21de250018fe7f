import type { Sealer } from '@impact-hub/crypto';
import type { Profile, PartnerName } from '../verification/profile.ts';
import type { TokenSigningKey } from '../verification/token-key.ts';
import type { PinnedKey } from '../verification/pinned-keys.ts';
import type { JwtTrust } from '../verification/verify-jwt.ts';
import type { ActiveSecret } from '../verification/verify-webhook.ts';

/** A secret with the moment it ends by itself, as after a rotation. */
export type HeldSecret = ActiveSecret & Held;

/** What was made together has one generation, and ends together. */
type Held = { id: string; generation: number; notAfterMs: number };

/** Kinds of secrets that are compared with what was sent. */
export type AccessKind = 'password' | 'url_token' | 'header_token';

/** Whose tokens an endpoint believes: keys pinned as they are, or those at an address. */
export type EndpointTrust = JwtTrust & ({ jwksUrl: string } | { keys: readonly PinnedKey[] });

/** An endpoint as the receivers hold it in memory, secrets opened. */
export type Endpoint = {
  id: string;
  companyId: string;
  partner: PartnerName;
  scheme: string;
  /** With the endpoint's own tolerance; null when the stored scheme is unknown, which refuses everything. */
  profile: Profile | null;
  state: 'active' | 'paused';
  isSilent: boolean;
  hint: string | null;
  /** Whether a request has been proven with one of its secrets since it claims its hint, as far as is written down. */
  hasMatched: boolean;
  /** Since when it claims its hint. */
  claimedAtMs: number;
  bodyLimitBytes: number;
  /** Null when anyone may send. */
  allowsIp: ((ip: string) => boolean) | null;
  webhookSecrets: readonly HeldSecret[];
  clientSecrets: readonly HeldSecret[];
  tokenKeys: readonly (TokenSigningKey & Held)[];
  accessSecrets: Readonly<Record<AccessKind, readonly HeldSecret[]>>;
  /** For HTTP Basic. */
  username: string;
  /** For tokens that the partner signs. */
  trust: EndpointTrust | null;
  /** Opened with the endpoint, so that taking a webhook needs nothing asynchronous but its commit. */
  sealer: Sealer;
};

/** The secrets valid at a moment. */
export const secretsAt = <S extends Held>(secrets: readonly S[], nowMs: number): readonly S[] =>
  secrets.every((secret) => secret.notAfterMs > nowMs)
    ? secrets
    : secrets.filter((secret) => secret.notAfterMs > nowMs);

/** Purposes of the data keys (packages/crypto). */
export const secretPurpose = 'impact_in.endpoint_secret';
export const receiptPurpose = 'impact_in.receipt';

/** Binds a secret's ciphertext to its row. */
export const secretContext = (secretId: string): Record<string, string> => ({
  table: 'impact_in_endpoint_secret',
  column: 'ciphertext',
  row: secretId,
});
