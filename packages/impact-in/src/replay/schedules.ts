import type { Schedule } from '@impact-hub/core';
import type { ImpactInDeps } from '../deps.ts';
import { forgetItems } from './forget-items.ts';
import { workReplays } from './work-replays.ts';

export const replaySchedules: readonly Schedule<ImpactInDeps>[] = [
  { name: 'impact-in.work-replays', everySeconds: 1, run: (deps, signal) => workReplays(deps, signal) },
  { name: 'impact-in.forget-replay-items', everySeconds: 3_600, run: (deps) => forgetItems(deps) },
];
