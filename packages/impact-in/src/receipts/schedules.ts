import type { Schedule } from '@impact-hub/core';
import type { ImpactInDeps } from '../deps.ts';
import { applyRetention } from './retention/apply-retention.ts';

export const receiptSchedules: readonly Schedule<ImpactInDeps>[] = [
  { name: 'impact-in.apply-retention', everySeconds: 3_600, run: (deps, signal) => applyRetention(deps, signal) },
];
