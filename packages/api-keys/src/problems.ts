import { defineProblem } from '@impact-hub/core';

export const apiKeyNotFound = defineProblem({
  code: 'api_keys.not_found',
  status: 404,
  title: 'There is no such API key',
  remedy: 'Check the 12-character key id; the keys of other companies are reported as absent.',
});
export const scopeNotHeld = defineProblem({
  code: 'api_keys.scope_not_held',
  status: 403,
  title: 'A key cannot be given more than its maker may do',
  remedy: 'Leave out the scopes named under `errors`, or ask somebody who holds them to make the key.',
});
export const environmentNotAllowed = defineProblem({
  code: 'api_keys.environment_not_allowed',
  status: 403,
  title: 'A test key manages test keys only',
  remedy: 'Use a live key or sign in to manage live keys.',
});
export const apiKeyRevoked = defineProblem({
  code: 'api_keys.revoked',
  status: 409,
  title: 'A revoked key cannot be changed',
  remedy: 'Make a new key; revocation is final.',
});
export const apiKeyExpired = defineProblem({
  code: 'api_keys.expired',
  status: 409,
  title: 'An expired key cannot be rotated',
  remedy: 'Give the key a later `expiresAt` first: a new secret ends with its key.',
});
export const rotationOverlaps = defineProblem({
  code: 'api_keys.rotation_overlaps',
  status: 409,
  title: 'The secret of an earlier rotation is still valid',
  remedy:
    'Call `POST /admin/api-keys/:keyId/retire-old` once nothing uses it any more, wait for its end, or send' +
    ' `force: true`, which ends it at once.',
});
export const beyondOwnAccess = defineProblem({
  code: 'api_keys.beyond_own_access',
  status: 403,
  title: 'You cannot open up a key that reaches further than you',
  remedy:
    'Ask somebody who holds all scopes of the key; a key in use must also last as long as it, be allowed from the same' +
    ' addresses, send as much per minute, and come with its current secret.',
});
export const tooManyLeakReports = defineProblem({
  code: 'api_keys.too_many_leak_reports',
  status: 429,
  title: 'Too many reports from this address',
  remedy: 'Wait for the seconds given in `Retry-After`; up to 100 reports fit in one request.',
});
