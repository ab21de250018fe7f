import { presetProfiles } from './preset-profiles.ts';

export const partnerNames = ['benevity', 'goodera', 'workday'] as const;
export type PartnerName = (typeof partnerNames)[number];

type Named = { scheme: string; title: string; partners: readonly PartnerName[] };

/**
 * How a webhook is signed with HMAC-SHA256, as data. One more scheme is one more value of this type.
 * What is signed is always the raw body preceded by a short text made of the timestamp and event id headers verbatim.
 */
export type HmacProfile = Named & {
  family: 'hmac';
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
  /** No replay protection in the signature: off by default, shown as weak, and the payload has to tell its time. */
  weak?: boolean;
  /** For weak ones, the top-level field of the payload with the time of the event; see payload-age.ts. */
  payloadTimestampField?: string;
};

/** Access tokens that the hub itself issued by OAuth 2 client credentials (RFC 6749 §4.4, RFC 9068). */
export type BearerProfile = Named & {
  family: 'oauth_bearer';
  /** Allow-list for the JWS `alg`. No HS256: a symmetric key at a third party could mint tokens. */
  algorithms: readonly ('Ed25519' | 'ES256')[];
  maxLifetimeSeconds: number;
  leewaySeconds: number;
};

/** Tokens that the partner signs, one per event, checked against keys pinned for the endpoint (RFC 7519, RFC 7517). */
export type JwtProfile = Named & {
  family: 'jwt';
  algorithms: readonly ('RS256' | 'PS256' | 'ES256')[];
  maxLifetimeSeconds: number;
  leewaySeconds: number;
};

/** HTTP Basic (RFC 7617) with a password that the hub made. */
export type BasicProfile = Named & { family: 'basic' };

/**
 * No signature: a token in the address, a secret header and a list of networks say that the sender may be the partner.
 * What it says is believed only when the partner's own API confirms it.
 */
export type UnsignedProfile = Named & { family: 'unsigned'; secretHeader: string };

/** Exactly one profile, hence one family, is active per endpoint: leaving a header out cannot downgrade it. */
export type Profile = HmacProfile | BearerProfile | JwtProfile | BasicProfile | UnsignedProfile;

export const families = ['hmac', 'oauth_bearer', 'jwt', 'basic', 'unsigned'] as const satisfies Profile['family'][];

/** The schemes that need no description of their own. No partner publishes one, so these are the hub's own contract. */
export const profiles = presetProfiles satisfies Record<string, Profile>;

type PresetName = keyof typeof profiles;

/** The scheme whose profile is part of its endpoint. */
export const customScheme = 'custom-hmac';

export type SchemeName = PresetName | typeof customScheme;

export const schemeNames = [...(Object.keys(profiles) as PresetName[]), customScheme] as const;

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
  const schemes: SchemeName[] = [...all.map((profile) => profile.scheme), customScheme];
  return schemes.sort((a, b) => Number(b === defaultSchemes[partner]) - Number(a === defaultSchemes[partner]));
};

/**
 * The profile of a stored scheme name; null when the name is unknown, which must be treated as a refusal, or when the
 * endpoint describes its own.
 */
export const profileOf = (scheme: string): Profile | null =>
  Object.hasOwn(profiles, scheme) ? profiles[scheme as PresetName] : null;

/** Whether a replayed request could pass but for the time in its payload. */
export const isWeak = (profile: Profile): boolean =>
  profile.family === 'unsigned' || (profile.family === 'hmac' && profile.weak === true);
