import { defineProblem } from '@impact-hub/core';

export const explainLimited = defineProblem({
  code: 'impact_in.explain_limited',
  status: 429,
  title: 'The company has had many receipts explained',
  remedy: 'Ask again after the seconds given in `Retry-After`; the reason of each receipt is in the list of receipts.',
});
