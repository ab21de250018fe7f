import { defineProblem } from '@impact-hub/core';

export const replayNotFound = defineProblem({
  code: 'impact_in.replay_not_found',
  status: 404,
  title: 'There is no such replay',
  remedy: 'List the replays of your company and use one of their ids.',
});
export const replayStateRefuses = defineProblem({
  code: 'impact_in.replay_state_refuses',
  status: 409,
  title: 'The replay is in a state that does not allow this',
  remedy: 'Read the replay: one that is done or cancelled stays so; start another one instead.',
});
export const tooManyReplays = defineProblem({
  code: 'impact_in.too_many_replays',
  status: 409,
  title: 'The company has as many replays waiting as it can have',
  remedy: 'Wait until some have ended, or cancel those that are not needed.',
});
export const selectionTooSlow = defineProblem({
  code: 'impact_in.replay_selection_too_slow',
  status: 422,
  title: 'The selection is too large to be counted in time',
  remedy: 'Give a shorter time or one more condition; without `dryRun` it is counted while the replay runs.',
});
