import { recordAudit, type AuditEvent } from '@impact-hub/audit';
import type { Tx } from '@impact-hub/core';
import type { ApiKeyRow } from './tables.ts';

/** Records in the transaction what somebody did to a key; `metadata` comes beside the key's name. */
export const recordKeyEvent = (
  tx: Tx,
  { actor, request }: Pick<AuditEvent, 'actor' | 'request'>,
  { keyId, name }: Pick<ApiKeyRow, 'keyId' | 'name'>,
  { metadata, ...event }: Pick<AuditEvent, 'type' | 'category' | 'severity' | 'changes' | 'metadata'>,
): Promise<string> =>
  recordAudit(tx, {
    ...event,
    actor,
    resource: { type: 'api_key', id: keyId },
    request,
    metadata: { name, ...metadata },
  });
