import type { Schedule, Sql } from '@impact-hub/core';
import type { ApiKeysDeps } from '../deps.ts';
import { flagAnomalies } from './flag-anomalies.ts';
import { sendReminders } from './send-reminders.ts';

/** How long the history by hour, networks that a key no longer comes from, and sent reminders are kept. */
export const kept = { usageDays: 90, networkDays: 90, reminderDays: 400, writerDays: 7 } as const;

/** Deletes what is older than it is kept, each in a statement of its own. */
export const removeOldUsage = async (sql: Sql, now: Date): Promise<void> => {
  await sql`delete from api_key_usage_hour where hour < ${now}::timestamptz - make_interval(days => ${kept.usageDays})`;
  await sql`
    delete from api_key_network where last_seen_at < ${now}::timestamptz - make_interval(days => ${kept.networkDays})`;
  await sql`delete from api_key_reminder where at < ${now}::timestamptz - make_interval(days => ${kept.reminderDays})`;
  // A process that writes is seen every second; one that has ended never again.
  await sql`
    delete from api_key_usage_writer where applied_at < ${now}::timestamptz - make_interval(days => ${kept.writerDays})`;
};

export const usageSchedules: readonly Schedule<ApiKeysDeps>[] = [
  {
    name: 'api key anomalies',
    everySeconds: 10,
    run: async (deps) => {
      await flagAnomalies(deps);
    },
  },
  {
    name: 'api key reminders',
    everySeconds: 3_600,
    run: async (deps, signal) => {
      await sendReminders(deps, signal);
    },
  },
  {
    name: 'api key usage retention',
    everySeconds: 3_600,
    run: ({ db, clock }) => removeOldUsage(db.systemSql, clock.now()),
  },
];
