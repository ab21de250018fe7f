import type { Tx } from '@impact-hub/core';

export type ReminderReason = 'expires_soon' | 'idle' | 'never_expires';

/** `step` tells one reminder of a reason from the next, so that each is sent once. */
export type DueReminder = {
  apiKeyId: string;
  companyId: string;
  keyId: string;
  name: string;
  reason: ReminderReason;
  step: string;
  expiresAt: Date | null;
};

/** Days before its end at which a key is brought to mind. */
export const expiryStepsDays = [30, 14, 7, 1] as const;
/** SCOPE of "idle": nobody has used the key for this long. */
export const idleAfterDays = 90;
/** Keys that stay idle or without an end are brought to mind again after this long. */
export const repeatEveryDays = 30;

/**
 * Reminders that are due at a moment and not yet sent. Of the steps before an end only the nearest counts: a key made
 * to last a week is not reminded of the 30th day. A step names the end it belongs to, so a key that was prolonged is
 * reminded again.
 */
export const findDueReminders = async (tx: Tx, now: Date, limit: number): Promise<DueReminder[]> =>
  tx.sql<DueReminder[]>`
    with active as (
      select key.id, key.company_id, key.key_id, key.name, key.created_at, key.expires_at,
             coalesce(usage.last_used_at, key.created_at) + make_interval(days => ${idleAfterDays}) as idle_at
      from api_key as key left join api_key_usage as usage on usage.api_key_id = key.id
      where key.enabled and key.revoked_at is null and (key.expires_at is null or key.expires_at > ${now})
    ), due as (
      select active.*, 'expires_soon' as reason,
             to_char(expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '/' || min(days) as step
      from active join unnest(${[...expiryStepsDays]}::integer[]) as days
        on expires_at <= ${now}::timestamptz + make_interval(days => days)
      group by active.id, company_id, key_id, name, created_at, expires_at, idle_at
      union all
      select active.*, 'idle', to_char(idle_at at time zone 'UTC', 'YYYY-MM-DD') || '/' ||
             floor(extract(epoch from ${now}::timestamptz - idle_at) / (${repeatEveryDays} * 86400))::int
      from active where idle_at <= ${now}
      union all
      select active.*, 'never_expires',
             floor(extract(epoch from ${now}::timestamptz - created_at) / (${repeatEveryDays} * 86400))::int::text
      from active where expires_at is null and created_at + make_interval(days => ${repeatEveryDays}) <= ${now}
    )
    select due.id as "apiKeyId", due.company_id as "companyId", due.key_id as "keyId", due.name, due.reason, due.step,
           due.expires_at as "expiresAt"
    from due
    where not exists (select from api_key_reminder as sent
      where sent.api_key_id = due.id and sent.reason = due.reason and sent.step = due.step)
    order by due.expires_at nulls last, due.id
    limit ${limit}`;
