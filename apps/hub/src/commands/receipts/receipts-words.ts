import type { Refusal, Words } from '../hub-api/explain-problem.ts';

/** How `hub receipts …` speaks of what the hub answers. */
export const receiptsWords: Words = {
  group: 'receipts',
  remedies: new Map<string, (refusal: Refusal) => string>([
    ['impact_in.receipt_not_found', () => 'See which there are: hub receipts list.'],
    ['impact_in.explain_limited', () => 'Run it again in two seconds.'],
  ]),
  options: new Map([
    ['ids', 'receipt'],
    ['partner', '--partner'],
    ['endpointId', '--endpoint'],
    ['outcome', '--outcome'],
    ['reason', '--reason'],
    ['requestId', '--request-id'],
    ['eventId', '--event-id'],
    ['correlationId', '--correlation-id'],
    ['from', '--from or --last'],
    ['to', '--to'],
  ]),
};
