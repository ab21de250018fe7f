import type { Refusal, Words } from '../hub-api/explain-problem.ts';

/** How `hub deliveries …` speaks of what the hub answers. */
export const deliveriesWords: Words = {
  group: 'deliveries',
  remedies: new Map<string, (refusal: Refusal) => string>([
    ['impact_in.delivery_not_found', () => 'See which there are: hub deliveries list.'],
    ['impact_in.connection_not_found', () => 'See which there are: hub connections list.'],
    ['impact_in.replay_not_found', () => 'See which there are: hub deliveries replays.'],
    ['impact_in.too_many_replays', () => 'See which wait, and cancel what is not needed: hub deliveries replays.'],
    ['impact_in.replay_state_refuses', () => 'Start another one: hub deliveries replay.'],
    ['impact_in.replay_selection_too_slow', () => 'Give a shorter time or one more condition, or leave out --dry-run.'],
  ]),
  options: new Map([
    ['ids', 'delivery'],
    ['partner', '--partner'],
    ['status', '--status'],
    ['state', '--state'],
    ['outcome', '--outcome'],
    ['direction', '--direction'],
    ['endpointId', '--endpoint'],
    ['eventId', '--event-id'],
    ['eventType', '--event-type'],
    ['correlationId', '--correlation-id'],
    ['from', '--from or --last'],
    ['to', '--to'],
    ['ratePerSecond', '--rate'],
    ['reason', '--reason'],
    ['connectionId', '--connection'],
    ['transactionId', '--transaction-id'],
    ['payload', '--payload-file'],
  ]),
};
