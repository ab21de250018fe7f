import { coreProblems } from '@impact-hub/core';

/** @throws ProblemError `request.invalid` for an end that is not after now; none is no error */
export const refusePastExpiry = (expiresAt: Date | null | undefined, now: Date): void => {
  if (!expiresAt || expiresAt > now) return;
  throw coreProblems.requestInvalid({
    detail: 'expiresAt must be in the future.',
    errors: [{ pointer: '/body/expiresAt', detail: 'Must be in the future.' }],
  });
};
