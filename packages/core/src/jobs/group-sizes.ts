import type { BoundModule } from '../module/define-module.ts';

/** How many jobs of one company the relay dispatches together, for the jobs that are run in batches. */
export const groupSizesOf = (modules: readonly BoundModule[]): ReadonlyMap<string, number> =>
  new Map(
    modules.flatMap(({ module }) =>
      module.jobs.flatMap(({ name, batch }) => (batch ? [[name, batch.size] as const] : [])),
    ),
  );
