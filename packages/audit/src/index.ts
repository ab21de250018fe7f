export { actorOf, type AuditActor, type AuditEvent } from './audit-event.ts';
export { ensureAuditPartitions } from './audit-partitions.ts';
export type { AuditDeps } from './deps.ts';
export { auditModule } from './module.ts';
export { recordAudit, recordAudits } from './record-audit.ts';
export { auditEvent } from './tables.ts';
