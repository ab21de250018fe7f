import type { Schedule } from '@impact-hub/core';
import type { ApiKeysDeps } from '../deps.ts';
import { flagAnomalies } from './flag-anomalies.ts';
import { removeOldUsage } from './remove-old-usage.ts';
import { sendReminders } from './send-reminders.ts';

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
    run: ({ db, clock }, signal) => removeOldUsage(db.systemSql, clock.now(), signal),
  },
];
