import type { Profile } from '../../verification/profile.ts';

/** One decision on a request's way in, in the order in which they are made. */
export type Step = {
  name: string;
  /** Reasons, up to their colon, that this step refuses or sets aside with. */
  reasons: readonly string[];
  /** What held when a later step was reached. */
  passed: string;
  /** What to do when it did not. */
  advice: string;
};

const headerFaults = ['duplicate_header', 'header_too_long'];

const address: Step = {
  name: 'address',
  reasons: ['wrong_partner'],
  passed: 'The address is that of an endpoint of this partner.',
  advice: 'Use the address shown with the endpoint: it names the partner and the endpoint.',
};
const profile: Step = {
  name: 'scheme',
  reasons: ['profile_invalid'],
  passed: 'The endpoint has a usable scheme.',
  advice: 'Create the endpoint again with a scheme that the hub accepts.',
};
const encoding: Step = {
  name: 'body_encoding',
  reasons: ['content_encoding'],
  passed: 'The body came as the bytes that were signed.',
  advice: 'Send the signed bytes as they are, without Content-Encoding.',
};
const secrets: Step = {
  name: 'secrets',
  reasons: ['no_active_secret'],
  passed: 'The endpoint had a secret that was valid at arrival.',
  advice: 'Give the endpoint a new secret and hand it to the partner.',
};

const before = [address, profile, encoding] as const;

const after: readonly Step[] = [
  {
    name: 'network',
    reasons: ['network_not_allowed'],
    passed: 'The sender’s address is one that may send.',
    advice: 'Add the partner’s network to the endpoint’s allowed networks, if the request was the partner’s.',
  },
  {
    name: 'endpoint_state',
    reasons: ['endpoint_paused'],
    passed: 'The endpoint was not paused.',
    advice: 'Resume the endpoint; the partner sends the event again, or verify the receipt again.',
  },
  {
    name: 'payload',
    reasons: ['not_json', 'schema_mismatch', 'unstorable_value'],
    passed: 'The payload is an event of the partner.',
    advice:
      'Ask the partner for the event in the documented form, or verify the receipt again after an update of the hub.',
  },
  {
    name: 'confirmation',
    reasons: ['awaiting_confirmation'],
    passed: 'The event did not have to be confirmed.',
    advice: 'Connect the partner’s API: events that nobody signed are processed once it has confirmed them.',
  },
];

const token = {
  header: {
    name: 'token_header',
    reasons: ['missing_token', ...headerFaults],
    passed: 'The Authorization header was there once.',
    advice: 'Send exactly one header `Authorization: Bearer <token>`.',
  },
  shape: {
    name: 'token_shape',
    reasons: ['malformed_token'],
    passed: 'It carried one bearer JWT.',
    advice: 'Send the token as it was issued, after the word Bearer and one blank.',
  },
  algorithm: {
    name: 'token_algorithm',
    reasons: ['token_algorithm_refused'],
    passed: 'The token’s algorithm is allowed.',
    advice: 'Sign with RS256, PS256 or ES256; tokens of the hub are sent as they were issued.',
  },
  key: {
    name: 'token_key',
    reasons: ['token_key_unknown', 'token_key_unusable', 'token_keys_unavailable'],
    passed: 'The token names a key that is believed.',
    advice: 'Publish the key under the kid that the token names, or fetch a new token from the hub.',
  },
  signature: {
    name: 'token_signature',
    reasons: ['token_signature_mismatch'],
    passed: 'The token’s signature is right.',
    advice: 'Use a token of this endpoint that nothing has changed.',
  },
  issuer: {
    name: 'token_issuer',
    reasons: ['token_issuer_wrong'],
    passed: 'The token’s issuer is the expected one.',
    advice: 'Compare the token’s iss with the issuer of the endpoint, letter by letter.',
  },
  audience: {
    name: 'token_audience',
    reasons: ['token_audience_wrong'],
    passed: 'The token was made for this endpoint.',
    advice: 'Use a token of this endpoint; each has its own.',
  },
  claims: {
    name: 'token_claims',
    reasons: ['token_claims_invalid'],
    passed: 'The token has the claims it needs.',
    advice: 'The token needs iss, aud, iat, exp and jti of the right types.',
  },
  time: {
    name: 'token_time',
    reasons: ['token_expired', 'token_not_yet_valid', 'token_lifetime_too_long'],
    passed: 'The token was valid at arrival.',
    advice: 'Make a token shortly before it is used, valid for an hour at most, and set the sender’s clock by NTP.',
  },
  use: {
    name: 'token_use',
    reasons: ['token_replayed', 'token_use_unknown'],
    passed: 'The token had not vouched for another body.',
    advice: 'Make one token per event.',
  },
} satisfies Record<string, Step>;

const hmac: readonly Step[] = [
  {
    name: 'signature_header',
    reasons: ['missing_signature', ...headerFaults],
    passed: 'The signature’s header was there once.',
    advice: 'Send the signature in this header, once.',
  },
  {
    name: 'signature_shape',
    reasons: ['malformed_signature'],
    passed: 'The signature has the expected shape.',
    advice: 'Write the 32 bytes of the HMAC-SHA256 in the expected shape and encoding.',
  },
  {
    name: 'timestamp_header',
    reasons: ['missing_timestamp', ...headerFaults],
    passed: 'The timestamp was there once.',
    advice: 'Send the timestamp that is signed, once.',
  },
  {
    name: 'event_id_header',
    reasons: ['missing_event_id', 'malformed_event_id', ...headerFaults],
    passed: 'The event id was there once.',
    advice: 'Send the event id that is signed, once: printable ASCII without blanks and full stops.',
  },
  {
    name: 'timestamp_format',
    reasons: ['malformed_timestamp'],
    passed: 'The timestamp has the expected format.',
    advice: 'Write the timestamp in the expected format and sign exactly that text.',
  },
  {
    name: 'clock',
    reasons: ['timestamp_too_old', 'timestamp_in_future'],
    passed: 'The timestamp is close enough to the hub’s clock.',
    advice: 'Set the sender’s clock by NTP and sign at the moment of sending, for each attempt anew.',
  },
  secrets,
  {
    name: 'signature',
    reasons: ['signature_mismatch'],
    passed: 'A valid secret makes one of the signatures over these bytes.',
    advice:
      'Compare the secret, the signed text and the bytes of the body; sign the bytes that are sent, not a copy written anew.',
  },
  {
    name: 'payload_time',
    reasons: ['missing_payload_timestamp', 'payload_too_old', 'payload_in_future'],
    passed: 'The time in the payload is recent, or the signature tells one.',
    advice: 'Put the time of the event into the payload, at most a day ago.',
  },
];

const ofFamily: Record<Profile['family'], readonly Step[]> = {
  hmac,
  basic: [
    {
      name: 'credentials_header',
      reasons: ['missing_credentials', ...headerFaults],
      passed: 'The Authorization header was there once.',
      advice: 'Send exactly one header `Authorization: Basic <user name:password in base64>`.',
    },
    {
      name: 'credentials_shape',
      reasons: ['malformed_credentials'],
      passed: 'It carried a user name and a password.',
      advice: 'Join user name and password by a colon, as UTF-8, and write them in base64.',
    },
    secrets,
    {
      name: 'credentials',
      reasons: ['credentials_mismatch'],
      passed: 'User name and password are the endpoint’s.',
      advice: 'Compare the user name, upper and lower case included, and the password with what the hub showed.',
    },
  ],
  unsigned: [
    {
      name: 'address_token',
      reasons: ['missing_url_token'],
      passed: 'The address had a token.',
      advice: 'Use the address with its `?token=` exactly as the hub showed it.',
    },
    {
      name: 'credentials_header',
      reasons: ['missing_credentials', ...headerFaults],
      passed: 'The secret header was there once.',
      advice: 'Send the secret header once.',
    },
    secrets,
    {
      name: 'credentials',
      reasons: ['credentials_mismatch'],
      passed: 'Both tokens are the endpoint’s.',
      advice: 'Compare the token of the address and that of the header with what the hub showed.',
    },
  ],
  oauth_bearer: [
    token.header,
    token.shape,
    token.algorithm,
    token.key,
    token.signature,
    token.issuer,
    token.audience,
    token.time,
    token.claims,
  ],
  jwt: [
    token.header,
    token.shape,
    token.algorithm,
    token.issuer,
    token.audience,
    token.claims,
    token.time,
    token.key,
    token.signature,
    token.use,
  ],
};

/** The decisions about a request to an endpoint of this family, in their order. */
export const stepsOf = (family: Profile['family']): readonly Step[] => [...before, ...ofFamily[family], ...after];
