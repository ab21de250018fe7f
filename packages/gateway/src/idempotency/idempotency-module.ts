import { defineModule, type Clock, type Database } from '@impact-hub/core';
import { removeExpiredRecords } from './remove-expired-records.ts';

/** Keeps the table of stored answers to those that still count. */
export const idempotencyModule = defineModule<{ db: Database; clock: Clock }>({
  name: 'idempotency',
  schedules: [
    {
      name: 'idempotency.remove_expired',
      everySeconds: 60,
      run: async (deps, signal) => void (await removeExpiredRecords(deps, signal)),
    },
  ],
});
