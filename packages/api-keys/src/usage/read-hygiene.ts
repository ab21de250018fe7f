import type { Tx } from '@impact-hub/core';
import { expiryStepsDays, idleAfterDays } from './find-due-reminders.ts';
import type { HygieneView } from './usage-schema.ts';

/** Keys listed per finding; the count is of all. */
const listed = 100;

type Finding = keyof HygieneView;

type Row = { finding: Finding; keyId: string; name: string; at: Date | null; count: number };

const day = (at: Date | null): string => at?.toISOString().slice(0, 10) ?? 'never';
const minute = (at: Date | null): string => (at === null ? 'never' : `${at.toISOString().slice(0, 16)}Z`);

/** What is said of a key, from the moment that makes it a finding. */
const advice: Record<Finding, { why(at: Date | null): string; nextStep: string }> = {
  expiring: {
    why: (at) => `Ends on ${day(at)}.`,
    nextStep: 'Prolong it, or make a new key and move its users before that day.',
  },
  idle: {
    why: (at) => (at === null ? `Was never used in ${idleAfterDays} days or more.` : `Was last used on ${day(at)}.`),
    nextStep: 'Revoke it if nobody needs it; disable it first if that is uncertain.',
  },
  neverExpire: {
    why: () => 'Has no end: whoever finds it can use it until somebody notices.',
    nextStep: 'Give it an end, and rotate it before.',
  },
  oldSecretStillUsed: {
    why: (at) => `Its old secret was used at ${minute(at)}, after the new one was made.`,
    nextStep: 'Find who still sends the old key and give them the new one, then retire the old one.',
  },
  waitingForFirstUse: {
    why: (at) => `Its new secret, made at ${minute(at)}, was never used; the old one is still valid.`,
    nextStep: 'Put the new key into use; if it was lost, rotate again: the lost one ends, the old one stays.',
  },
};

const findRows = (tx: Tx, now: Date): Promise<Row[]> =>
  tx.sql<Row[]>`
    with active as (
      select key.id, key.key_id, key.name, key.created_at, key.expires_at, usage.last_used_at
      from api_key as key left join api_key_usage as usage on usage.api_key_id = key.id
      where enabled and revoked_at is null and (expires_at is null or expires_at > ${now})
    ), newest as (
      select distinct on (api_key_id) api_key_id, generation, created_at, first_used_at
      from api_key_secret order by api_key_id, generation desc
    ), old as (
      select newest.api_key_id, newest.created_at as renewed_at, newest.first_used_at, max(secret.last_used_at) as used_at
      from newest join api_key_secret as secret
        on secret.api_key_id = newest.api_key_id and secret.generation < newest.generation
        and (secret.expires_at is null or secret.expires_at > ${now})
      group by 1, 2, 3
    ), findings as (
      select 'expiring' as finding, key_id, name, expires_at as at, expires_at as rank from active
        where expires_at <= ${now}::timestamptz + make_interval(days => ${expiryStepsDays[0]})
      union all
      select 'idle', key_id, name, last_used_at, coalesce(last_used_at, created_at) from active
        where coalesce(last_used_at, created_at) <= ${now}::timestamptz - make_interval(days => ${idleAfterDays})
      union all
      select 'neverExpire', key_id, name, null, created_at from active where expires_at is null
      union all
      select 'oldSecretStillUsed', key_id, name, used_at, used_at from active join old on old.api_key_id = active.id
        where used_at > renewed_at
      union all
      select 'waitingForFirstUse', key_id, name, renewed_at, renewed_at from active join old on old.api_key_id = active.id
        where first_used_at is null
    ), numbered as (
      select findings.*, count(*) over (partition by finding)::int as count,
             row_number() over (partition by finding order by rank, key_id) as place
      from findings
    )
    select finding, key_id as "keyId", name, at, count from numbered where place <= ${listed} order by finding, place`;

/** Keys of the company that want attention, each with the reason and what to do about it. */
export const readHygiene = async (tx: Tx, now: Date): Promise<HygieneView> => {
  const rows = await findRows(tx, now);
  const of = (finding: Finding): HygieneView[Finding] => {
    const found = rows.filter((row) => row.finding === finding);
    const { why, nextStep } = advice[finding];
    return {
      count: found[0]?.count ?? 0,
      keys: found.map(({ keyId, name, at }) => ({ keyId, name, why: why(at), nextStep })),
    };
  };
  return {
    expiring: of('expiring'),
    idle: of('idle'),
    neverExpire: of('neverExpire'),
    oldSecretStillUsed: of('oldSecretStillUsed'),
    waitingForFirstUse: of('waitingForFirstUse'),
  };
};
