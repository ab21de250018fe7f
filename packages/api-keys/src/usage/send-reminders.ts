import { recordAudit } from '@impact-hub/audit';
import type { Clock, Database, Outbox, Tx } from '@impact-hub/core';
import { findDueReminders, type DueReminder } from './find-due-reminders.ts';
import type { KeyWatchMetrics } from './usage-metrics.ts';

/** Of one run; the rest follows with the next. */
const remindersPerRun = 500;

const by = { kind: 'system', id: 'api-keys' } as const;

type Deps = {
  db: Pick<Database, 'system'>;
  clock: Clock;
  outbox: Outbox;
  keyWatchMetrics: Pick<KeyWatchMetrics, 'reminder'>;
};

/** @returns false when another process had sent it already */
const send = async (tx: Tx, { outbox }: Deps, reminder: DueReminder, now: Date): Promise<boolean> => {
  const { apiKeyId, companyId, keyId, name, reason, step, expiresAt } = reminder;
  const written = await tx.sql`
    insert into api_key_reminder (api_key_id, reason, step, company_id, at)
    values (${apiKeyId}, ${reason}, ${step}, ${companyId}, ${now}) on conflict do nothing returning 1`;
  if (written.length === 0) return false;
  await recordAudit(tx, {
    type: 'api_key.reminder_due',
    category: 'admin',
    companyId,
    actor: by,
    resource: { type: 'api_key', id: keyId },
    metadata: { name, reason, step, expiresAt },
  });
  await outbox.publish(tx, { type: 'api_key.reminder_due', payload: { keyId, reason }, companyId });
  return true;
};

/**
 * Sends what is due: an audit event and the event `api_key.reminder_due` `{keyId, reason}`, each once, however many
 * processes do this at the same time and wherever one of them ends.
 * @returns how many were sent by this call
 */
export const sendReminders = async (deps: Deps, signal?: AbortSignal): Promise<number> => {
  const now = deps.clock.now();
  const due = await deps.db.system((tx) => findDueReminders(tx, now, remindersPerRun));
  let sent = 0;
  for (const reminder of due) {
    if (signal?.aborted === true) break;
    if (!(await deps.db.system((tx) => send(tx, deps, reminder, now)))) continue;
    deps.keyWatchMetrics.reminder(reminder.reason);
    sent += 1;
  }
  return sent;
};
