import { defineProblem } from '@impact-hub/core';

export const rateLimitExceeded = defineProblem({
  code: 'rate_limit.exceeded',
  status: 429,
  title: 'Too many requests',
  remedy: 'Wait for the seconds given in `Retry-After`; `violated-policies` names the limits that were reached.',
});
