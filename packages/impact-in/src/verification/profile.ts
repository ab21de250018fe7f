export const partnerNames = ['benevity', 'goodera', 'workday'] as const;
export type PartnerName = (typeof partnerNames)[number];

/**
 * How a webhook is signed with HMAC-SHA256, as data. One more scheme is one more value of this type.
 * What is signed is always the raw body preceded by a short text made of the timestamp and event id headers verbatim.
 */
export type HmacProfile = {
  family: 'hmac';
  scheme: string;
  title: string;
  partners: readonly PartnerName[];
  signatureHeader: string;
  /** Absent when the timestamp travels inside the signature header (`stripe-list`) or is not signed at all. */
  timestampHeader?: string;
  idHeader?: string;
  /** `{ts}`, `{id}` and literal text, ending in `{body}`. */
  signedTemplate: `${string}{body}`;
  encoding: 'hex' | 'base64';
  /** Shape of the signature header; see signature-containers.ts. */
  container: 'stripe-list' | 'prefixed' | 'bare' | 'standard-webhooks';
  /** For `prefixed`, such as `sha256=`. */
  prefix?: string;
  /** For `prefixed`: the bare signature is accepted as well. */
  prefixOptional?: boolean;
  /** `none` only for body-only profiles, which must say that they are `weak`. */
  timestampFormat: 'unix_s' | 'unix_ms' | 'iso8601' | 'none';
  /** Accepted distance of the timestamp from now, in both directions; 30 to 900. */
  toleranceSeconds: number;
  /** How the secret's text becomes key bytes; see secret-key.ts. */
  keyEncoding: 'utf8' | 'hex' | 'base64' | 'whsec';
  /** No replay protection in the signature: off by default, shown as weak. */
  weak?: boolean;
};

/** Access tokens that the hub itself issued by OAuth 2 client credentials (RFC 6749 §4.4, RFC 9068). */
export type BearerProfile = {
  family: 'oauth_bearer';
  scheme: string;
  title: string;
  partners: readonly PartnerName[];
  /** Allow-list for the JWS `alg`. No HS256: a symmetric key at a third party could mint tokens. */
  algorithms: readonly ('Ed25519' | 'ES256')[];
  maxLifetimeSeconds: number;
  leewaySeconds: number;
};

/** Exactly one profile, hence one family, is active per endpoint: leaving a header out cannot downgrade it. */
export type Profile = HmacProfile | BearerProfile;

/** Five minutes, as Stripe, Slack and the Standard Webhooks libraries use. */
const toleranceSeconds = 300;

/** The schemes an endpoint can be created with. No partner publishes one, so these are the hub's own contract. */
export const profiles = {
  'benevity-hmac': {
    family: 'hmac',
    scheme: 'benevity-hmac',
    title: 'Benevity: t=,v1= list, hex HMAC-SHA256 of "<t>.<body>"',
    partners: ['benevity'],
    signatureHeader: 'X-Benevity-Signature',
    signedTemplate: '{ts}.{body}',
    encoding: 'hex',
    container: 'stripe-list',
    timestampFormat: 'unix_s',
    toleranceSeconds,
    keyEncoding: 'utf8',
  },
  'goodera-hmac': {
    family: 'hmac',
    scheme: 'goodera-hmac',
    title: 'Goodera: sha256=, hex HMAC-SHA256 of "<timestamp>.<body>"',
    partners: ['goodera'],
    signatureHeader: 'X-Goodera-Signature',
    timestampHeader: 'X-Goodera-Request-Timestamp',
    signedTemplate: '{ts}.{body}',
    encoding: 'hex',
    container: 'prefixed',
    prefix: 'sha256=',
    timestampFormat: 'unix_s',
    toleranceSeconds,
    keyEncoding: 'utf8',
  },
  'workday-hmac': {
    family: 'hmac',
    scheme: 'workday-hmac',
    title: 'Workday: base64 HMAC-SHA256 of "<ISO timestamp>:<body>"',
    partners: ['workday'],
    signatureHeader: 'X-Workday-Signature',
    timestampHeader: 'X-Workday-Request-Timestamp',
    signedTemplate: '{ts}:{body}',
    encoding: 'base64',
    container: 'bare',
    timestampFormat: 'iso8601',
    toleranceSeconds,
    keyEncoding: 'utf8',
  },
  'workday-oauth': {
    family: 'oauth_bearer',
    scheme: 'workday-oauth',
    title: 'Workday: OAuth 2 bearer token issued by the hub for client credentials',
    partners: ['workday'],
    algorithms: ['Ed25519'],
    maxLifetimeSeconds: 3_600,
    leewaySeconds: 60,
  },
  'standard-webhooks': {
    family: 'hmac',
    scheme: 'standard-webhooks',
    title: 'Standard Webhooks 1.0: v1, base64 HMAC-SHA256 of "<id>.<timestamp>.<body>"',
    partners: ['benevity', 'goodera', 'workday'],
    signatureHeader: 'webhook-signature',
    timestampHeader: 'webhook-timestamp',
    idHeader: 'webhook-id',
    signedTemplate: '{id}.{ts}.{body}',
    encoding: 'base64',
    container: 'standard-webhooks',
    timestampFormat: 'unix_s',
    toleranceSeconds,
    keyEncoding: 'whsec',
  },
} as const satisfies Record<string, Profile>;

export type SchemeName = keyof typeof profiles;

const defaultSchemes = {
  benevity: 'benevity-hmac',
  goodera: 'goodera-hmac',
  workday: 'workday-hmac',
} as const satisfies Record<PartnerName, SchemeName>;

/** The scheme of an endpoint that names none. */
export const defaultSchemeOf = (partner: PartnerName): SchemeName => defaultSchemes[partner];

/** The schemes that an endpoint of this partner may use, the default first. */
export const schemesOf = (partner: PartnerName): SchemeName[] => {
  const all = Object.values(profiles).filter((profile: Profile) => profile.partners.includes(partner));
  const schemes = all.map((profile) => profile.scheme);
  return schemes.sort((a, b) => Number(b === defaultSchemes[partner]) - Number(a === defaultSchemes[partner]));
};

/** The profile of a stored scheme name; null when the name is unknown, which must be treated as a refusal. */
export const profileOf = (scheme: string): Profile | null =>
  Object.hasOwn(profiles, scheme) ? profiles[scheme as SchemeName] : null;
