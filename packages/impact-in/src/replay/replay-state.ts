import type { ReplayState } from './replay.ts';

export type ReplayChange = 'pause' | 'resume' | 'cancel';

/** What people can do with a replay: from which states, and to which one. The steps do the rest. */
const changes: Readonly<Record<ReplayChange, { from: readonly ReplayState[]; to: ReplayState }>> = {
  pause: { from: ['waiting', 'running'], to: 'paused' },
  resume: { from: ['paused', 'failed'], to: 'waiting' },
  cancel: { from: ['waiting', 'running', 'paused', 'failed'], to: 'cancelled' },
};

/** States in which the change has been made already: asking for it again changes nothing. */
const settled: Readonly<Record<ReplayChange, readonly ReplayState[]>> = {
  pause: ['paused'],
  resume: ['waiting', 'running'],
  cancel: ['cancelled'],
};

/** @returns the new state; the same one when nothing is left to do; undefined when the change is not possible */
export const nextState = (state: ReplayState, change: ReplayChange): ReplayState | undefined => {
  if (settled[change].includes(state)) return state;
  return changes[change].from.includes(state) ? changes[change].to : undefined;
};
