import { defineModule } from '@impact-hub/core';
import { checkAuditPartitions, ensureAuditPartitions } from './audit-partitions.ts';
import type { AuditDeps } from './deps.ts';
import { listAuditEvents } from './routes.ts';

const sixHoursInSeconds = 21_600;

/** The audit log of every company: recording is `recordAudit`; this is reading it and keeping its partitions. */
export const auditModule = defineModule<AuditDeps>({
  name: 'audit',
  description: 'What was changed in a company, by whom and when.',
  routes: [listAuditEvents],
  scopes: { 'audit:read': "Read the company's audit log, including addresses of callers." },
  schedules: [
    {
      name: 'audit partitions',
      everySeconds: sixHoursInSeconds,
      run: async ({ db }) => {
        await ensureAuditPartitions(db);
      },
    },
  ],
  checks: [{ name: 'audit partitions', critical: false, run: ({ db }) => checkAuditPartitions(db) }],
});
