import type { Database } from '@impact-hub/core';

export type AuditDeps = { db: Database };
