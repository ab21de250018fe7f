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
