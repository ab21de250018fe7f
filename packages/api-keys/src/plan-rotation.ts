import { defaultOverlapSeconds, type RotateApiKeyInput } from './lifecycle-schema.ts';
import { rotationOverlaps } from './problems.ts';
import { earlierOf, liveOldSecrets } from './secret-view.ts';
import type { ApiKeyRow, ApiKeySecretRow } from './tables.ts';

export type RotationPlan = {
  /** The secret that stays beside the new one for the overlap. */
  old: ApiKeySecretRow;
  oldSecretExpiresAt: Date | null;
  overlapFrom: 'now' | 'first_use';
  /** Null when the old secret keeps the end that an earlier rotation gave it. */
  overlapSeconds: number | null;
  /** These end now: at most two secrets are valid. */
  ending: ApiKeySecretRow[];
  replacesUnused: boolean;
};

const isUnused = ({ firstUsedAt, lastUsedAt }: ApiKeySecretRow): boolean => firstUsedAt === null && lastUsedAt === null;

const planOverlap = (
  old: ApiKeySecretRow,
  key: Pick<ApiKeyRow, 'expiresAt'>,
  { overlapSeconds = defaultOverlapSeconds, overlapFrom = 'now' }: RotateApiKeyInput,
  now: Date,
): Pick<RotationPlan, 'oldSecretExpiresAt' | 'overlapFrom' | 'overlapSeconds'> => {
  const wanted = new Date(now.getTime() + overlapSeconds * 1_000);
  const endsAt = earlierOf(wanted, earlierOf(old.expiresAt, key.expiresAt));
  return { oldSecretExpiresAt: overlapFrom === 'now' ? endsAt : old.expiresAt, overlapFrom, overlapSeconds };
};

/**
 * What a rotation does to the secrets there are. A new secret that was never used is probably lost: it gives its place
 * to the next one, and the secret in use stays as it was, unless the caller asks for another overlap. No old secret
 * gets a later end than it had.
 * @param secrets newest first, at least one
 * @throws ProblemError `api_keys.rotation_overlaps`
 */
export const planRotation = (
  key: Pick<ApiKeyRow, 'expiresAt'>,
  secrets: readonly [ApiKeySecretRow, ...ApiKeySecretRow[]],
  rotation: RotateApiKeyInput,
  now: Date,
): RotationPlan => {
  const [newest] = secrets;
  const [previous, ...more] = liveOldSecrets(secrets, now);
  if (previous === undefined || !isUnused(newest)) {
    if (previous !== undefined && !rotation.force) throw rotationOverlaps();
    const ending = previous === undefined ? [] : [previous, ...more];
    return { old: newest, ...planOverlap(newest, key, rotation, now), ending, replacesUnused: false };
  }
  const isAsBefore = rotation.overlapSeconds === undefined && rotation.overlapFrom === undefined;
  const { overlapSeconds } = newest;
  const asBefore = {
    oldSecretExpiresAt: previous.expiresAt,
    overlapFrom: overlapSeconds === null ? ('now' as const) : ('first_use' as const),
    overlapSeconds,
  };
  const overlap = isAsBefore ? asBefore : planOverlap(previous, key, rotation, now);
  return { old: previous, ...overlap, ending: [newest, ...more], replacesUnused: true };
};
