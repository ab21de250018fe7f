import { isIP } from 'node:net';
import { apiKeyInText, coreProblems, holdsApiKey, isPublicAddress } from '@impact-hub/core';
import { z } from 'zod';
import { customProfileSchema, hmacProfileOf, type CustomProfile } from '../verification/custom-profile.ts';
import { jwkFault, maxKeysOfOneId, publicJwk } from '../verification/pinned-keys.ts';
import { customScheme, isWeak, profileOf, type SchemeName } from '../verification/profile.ts';
import { secretKey } from '../verification/secret-key.ts';

const claimText = z
  .string()
  .regex(/^[ -~]+$/, 'must be printable ASCII')
  .max(500, 'must be at most 500 characters')
  .refine((text) => !holdsApiKey(text), apiKeyInText);

export const jwtSettings = z
  .strictObject({
    issuer: claimText.describe('The iss of the tokens, exactly.'),
    audience: claimText.describe('The aud that the tokens have to contain.'),
    jwksUrl: z
      .string()
      .max(2_000)
      .refine((text) => URL.canParse(text), 'must be a URL')
      .refine((text) => !holdsApiKey(text), apiKeyInText)
      .optional()
      .describe('Where the issuer publishes its keys; https only, at a public address.'),
    jwks: z
      .strictObject({ keys: z.array(z.record(z.string(), z.unknown())).min(1).max(20) })
      .optional()
      .describe("The issuer's public keys, when they are not to be fetched."),
    thumbprints: z
      .array(z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be an RFC 7638 thumbprint: SHA-256 in base64url'))
      .min(1)
      .max(20)
      .optional()
      .describe('Only these keys are believed, whatever the issuer publishes.'),
  })
  .superRefine(({ jwksUrl, jwks }, context) => {
    if ((jwksUrl === undefined) === (jwks === undefined))
      context.addIssue({ code: 'custom', path: ['jwksUrl'], message: 'must be given, or jwks instead of it' });
    for (const [index, jwk] of jwks?.keys.entries() ?? []) {
      const fault = jwkFault(jwk);
      if (fault !== null)
        context.addIssue({ code: 'custom', path: ['jwks', 'keys', index, fault.field], message: fault.message });
    }
    for (const sameId of Map.groupBy(jwks?.keys ?? [], ({ kid }) => kid).values())
      if (sameId.length > maxKeysOfOneId)
        context.addIssue({
          code: 'custom',
          path: ['jwks', 'keys'],
          message: `must have at most ${maxKeysOfOneId} keys of one kid`,
        });
  });
export type JwtSettings = z.output<typeof jwtSettings>;

/** Fields of a new endpoint that only some schemes have. */
export const schemeFields = {
  acceptWeak: z
    .literal(true, { error: 'must be true' })
    .optional()
    .describe('Says that the scheme is meant although its signature does not protect against replay.'),
  profile: customProfileSchema.optional().describe('How custom-hmac requests are signed.'),
  secret: z
    .string()
    .regex(/^[ -~]{16,256}$/, 'must be 16 to 256 characters of printable ASCII')
    .optional()
    .describe('For custom-hmac: the secret that the sender has made; the hub makes one when left out.'),
  jwt: jwtSettings.optional().describe('Whose tokens are believed.'),
  username: z
    .string()
    .regex(/^[^\p{Cc}\p{Cs}:]{1,100}$/u, 'must be 1 to 100 characters without a colon or control characters')
    .refine((text) => !holdsApiKey(text), apiKeyInText)
    .transform((text) => text.normalize('NFC'))
    .optional()
    .describe("For HTTP Basic; default is the endpoint's id."),
};
const schemeFieldsSchema = z.object(schemeFields);
type SchemeFields = z.output<typeof schemeFieldsSchema>;

/** What of them is stored with the endpoint: nothing secret. */
export type EndpointSettings = {
  /** Without its tolerance, which every endpoint has in a column of its own. */
  profile?: Omit<CustomProfile, 'toleranceSeconds'>;
  jwt?: JwtSettings;
  username?: string;
};

type FieldFault = { pointer: string; detail: string };

type Chosen = { scheme: SchemeName; fields: SchemeFields; allowedNetworks: readonly string[] | undefined };

/** Which of the fields a scheme takes, and which it cannot do without. */
const takes = (scheme: SchemeName): { may: readonly (keyof SchemeFields)[]; must: readonly (keyof SchemeFields)[] } => {
  if (scheme === customScheme) return { may: ['profile', 'secret', 'acceptWeak'], must: ['profile'] };
  const profile = profileOf(scheme);
  if (profile?.family === 'jwt') return { may: ['jwt'], must: ['jwt'] };
  if (profile?.family === 'basic') return { may: ['username'], must: [] };
  return profile !== null && isWeak(profile) ? { may: ['acceptWeak'], must: [] } : { may: [], must: [] };
};

const weakness =
  'must be true: whoever has seen one request of this scheme can send it again, and only the time in its payload and the record of what was received speak against it';

const profileFor = ({ scheme, fields }: Chosen) =>
  scheme === customScheme && fields.profile !== undefined ? hmacProfileOf(fields.profile) : profileOf(scheme);

const jwksUrlFault = (text: string, allowPrivateAddresses: boolean): string | null => {
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(allowPrivateAddresses && url.protocol === 'http:'))
    return 'must begin with https://';
  if (url.username + url.password + url.hash !== '') return 'must have neither credentials nor a fragment';
  const host = url.hostname.replaceAll(/^\[|\]$/g, '');
  const isPrivate = isIP(host) !== 0 && !isPublicAddress(host);
  return isPrivate && !allowPrivateAddresses ? 'must not lead to a private address' : null;
};

function* faultsOf(chosen: Chosen, allowPrivateAddresses: boolean): Generator<FieldFault> {
  const { scheme, fields } = chosen;
  const { may, must } = takes(scheme);
  for (const field of Object.keys(schemeFields) as (keyof SchemeFields)[]) {
    if (fields[field] !== undefined && !may.includes(field))
      yield { pointer: `/body/${field}`, detail: `is not a setting of ${scheme}` };
    if (fields[field] === undefined && must.includes(field))
      yield { pointer: `/body/${field}`, detail: `is needed for ${scheme}` };
  }
  const profile = profileFor(chosen);
  if (profile !== null && isWeak(profile) && fields.acceptWeak !== true)
    yield { pointer: '/body/acceptWeak', detail: weakness };
  if (profile?.family === 'unsigned' && chosen.allowedNetworks === undefined)
    yield { pointer: '/body/allowedNetworks', detail: `is needed for ${scheme}: nothing in its requests is signed` };
  if (fields.profile !== undefined && fields.secret !== undefined && profile?.family === 'hmac')
    if (secretKey(fields.secret, profile.keyEncoding) === null)
      yield { pointer: '/body/secret', detail: `must be a key in the encoding ${profile.keyEncoding}` };
  const { jwksUrl } = fields.jwt ?? {};
  const urlFault = jwksUrl === undefined ? null : jwksUrlFault(jwksUrl, allowPrivateAddresses);
  if (urlFault !== null) yield { pointer: '/body/jwt/jwksUrl', detail: urlFault };
}

const withoutTolerance = (profile: CustomProfile): Omit<CustomProfile, 'toleranceSeconds'> => {
  const { toleranceSeconds: _, ...others } = profile;
  return others;
};

const withPublicKeysOnly = (jwt: JwtSettings): JwtSettings =>
  jwt.jwks === undefined ? jwt : { ...jwt, jwks: { keys: jwt.jwks.keys.map(publicJwk) } };

/**
 * The settings of a new endpoint's scheme, as they are stored.
 *
 * @throws ProblemError `request.invalid` naming every field that the scheme does not take, lacks, or has wrong
 */
export const readSchemeSettings = (
  chosen: Chosen,
  deps: { allowPrivateAddresses?: boolean },
): { settings: EndpointSettings; weak: boolean } => {
  const errors = [...faultsOf(chosen, deps.allowPrivateAddresses === true)];
  if (errors.length > 0)
    throw coreProblems.requestInvalid({ detail: `The settings do not fit the scheme ${chosen.scheme}.`, errors });
  const { profile, jwt, username } = chosen.fields;
  const used = profileFor(chosen);
  return {
    settings: {
      ...(profile === undefined ? {} : { profile: withoutTolerance(profile) }),
      ...(jwt === undefined ? {} : { jwt: withPublicKeysOnly(jwt) }),
      ...(username === undefined ? {} : { username }),
    },
    weak: used !== null && isWeak(used),
  };
};
