/**
 * Every reason to refuse a request, with the sentence an operator reads. The caller of a webhook never sees them: it
 * gets one uniform 401. Kept with the receipt and counted in metrics.
 */
export const verificationFailures = {
  profile_invalid: 'The endpoint is configured with a verification profile that contradicts itself.',
  content_encoding:
    'The body is compressed; the signature must be over the bytes sent, so no Content-Encoding is accepted.',
  duplicate_header: 'A header that decides about authenticity was sent more than once.',
  header_too_long: 'A header that decides about authenticity is longer than 4,096 characters.',
  missing_signature: 'There is no signature of the expected version.',
  malformed_signature: 'A signature does not decode to exactly 32 bytes in the expected encoding.',
  missing_timestamp: 'There is no timestamp.',
  malformed_timestamp: 'The timestamp is not in the expected format.',
  timestamp_too_old: 'The timestamp is further in the past than the tolerance.',
  timestamp_in_future: 'The timestamp is further in the future than the tolerance.',
  missing_event_id: 'There is no event id header.',
  malformed_event_id: 'The event id header contains characters that make the signed text ambiguous.',
  no_active_secret: 'The endpoint has no active secret, so nothing can be authentic.',
  signature_mismatch: 'No active secret produces any of the presented signatures over these bytes.',
  missing_payload_timestamp: 'The signature tells no time, and the payload does not tell one either.',
  payload_too_old: 'The signature tells no time, and the payload is more than a day old.',
  payload_in_future: 'The signature tells no time, and the time in the payload is in the future.',
  missing_credentials: 'There is no user name and password, or no secret header.',
  malformed_credentials: 'The Authorization header does not carry one user name and password by HTTP Basic.',
  credentials_mismatch: 'The user name, the password or one of the tokens is not one of the endpoint.',
  missing_url_token: 'The address lacks the token that belongs to it.',
  missing_token: 'There is no bearer token.',
  malformed_token: 'The Authorization header does not carry one bearer JWT.',
  token_algorithm_refused: 'The token is signed with an algorithm that is not allowed.',
  token_key_unknown: 'The token names a signing key that is not in use.',
  token_signature_mismatch: 'The signature of the token is wrong.',
  token_issuer_wrong: 'The token was issued by somebody else.',
  token_audience_wrong: 'The token was issued for another endpoint.',
  token_expired: 'The token has expired.',
  token_not_yet_valid: 'The token was issued in the future.',
  token_lifetime_too_long: 'The token is valid for longer than is allowed.',
  token_key_unusable: 'The key that the token names does not fit its algorithm, or is not one of the pinned keys.',
  token_keys_unavailable: 'The key that the token names is not known here, and the address of the keys did not answer.',
  token_replayed: 'The token was used before, for another body.',
  token_claims_invalid: 'The token lacks a claim or carries one of the wrong type.',
} as const satisfies Record<string, string>;

export type VerificationFailure = keyof typeof verificationFailures;

export type Refusal = { valid: false; reason: VerificationFailure };

export const refuse = (reason: VerificationFailure): Refusal => ({ valid: false, reason });
