import { isValidAt } from './endpoint-view.ts';
import { rotationOverlaps } from './problems.ts';
import type { SecretRow } from '../tables.ts';

type Secret = Pick<SecretRow, 'id' | 'generation' | 'state' | 'notAfter'>;

/** The secrets that are accepted, in sets that were made together, newest first. */
export const validSets = <S extends Secret>(secrets: readonly S[], now: Date): S[][] =>
  [...Map.groupBy(secrets, ({ generation }) => generation)]
    .toSorted(([a], [b]) => b - a)
    .map(([, set]) => set.filter((secret) => isValidAt(secret, now)))
    .filter((set) => set.length > 0);

export type RotationPlan<S extends Secret> = {
  generation: number;
  /** Stays beside the new set until `oldNotAfter`; empty when nothing is accepted now. */
  old: S[];
  oldNotAfter: Date;
  /** These end now: at most two sets are accepted. */
  ending: S[];
};

/**
 * What a rotation does to the secrets there are.
 *
 * @throws ProblemError `impact_in.rotation_overlaps` while two sets are accepted and `force` is not set
 */
export const planRotation = <S extends Secret>(
  secrets: readonly S[],
  { overlapSeconds, force }: { overlapSeconds: number; force: boolean },
  now: Date,
): RotationPlan<S> => {
  const [newest = [], ...older] = validSets(secrets, now);
  const ending = older.flat();
  const [overlapping] = ending;
  if (overlapping !== undefined && !force)
    throw rotationOverlaps({
      detail: `The secret ${overlapping.id} of an earlier rotation is accepted until ${overlapping.notAfter?.toISOString()}.`,
      members: { secretId: overlapping.id, notAfter: overlapping.notAfter?.toISOString() },
    });
  const endsAtOnce = overlapSeconds === 0;
  return {
    generation: Math.max(0, ...secrets.map(({ generation }) => generation)) + 1,
    old: endsAtOnce ? [] : newest,
    oldNotAfter: new Date(now.getTime() + overlapSeconds * 1_000),
    ending: endsAtOnce ? [...newest, ...ending] : ending,
  };
};
