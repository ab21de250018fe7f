import type { Sql } from '@impact-hub/core';
import type { ImpactInDeps } from '@impact-hub/impact-in';
import { serveUntilSignal } from './serve-until-signal.ts';

type Submit = ImpactInDeps['inbox']['submit'];

/** Everything up to the finished, sealed receipt; then nothing. */
const keepNothing: Submit = async (row) => ({ kind: 'new', receiptId: row.id });

const insertSql = `
  with fresh as (
    insert into impact_in_dedupe (endpoint_id, dedupe_key, company_id, receipt_id, body_sha256, first_seen_at)
    values ($1, $2, $3, $4, $5, $6)
    on conflict do nothing
    returning receipt_id
  ), stored as (
    insert into impact_in_receipt (
      id, received_at, company_id, endpoint_id, partner, outcome, reason, event_id, event_type, correlation_id, entity_key,
      secret_id, request_id, original_id, body_bytes, latency_ms, sealed)
    select receipt_id, $6, $3, $1, $7, $8, $9, $10, $11, $12, $13, $14, $15, null, $16, $17, $18 from fresh
  ), jobs as (
    insert into job (id, company_id, queue, payload, traceparent)
    select receipt_id, $3, 'impact-in.process-receipt', jsonb_build_object('receiptId', receipt_id), $19
    from fresh where $8 = 'accepted'
  )
  select receipt_id from fresh`;

/** The same rows, one autocommitted statement per request; the pool has the size of HUB_DATABASE_POOL_SIZE. */
const insertPerRequest =
  (sql: Sql): Submit =>
  async (row) => {
    const receivedAt = new Date(Number.parseInt(row.id.slice(0, 8) + row.id.slice(9, 13), 16));
    const stored = await sql.unsafe(
      insertSql,
      [
        row.endpointId,
        row.dedupeKey,
        row.companyId,
        row.id,
        row.bodySha256,
        receivedAt,
        row.partner,
        row.outcome,
        row.reason,
        row.eventId,
        row.eventType,
        row.correlationId,
        row.entityKey,
        row.secretId,
        row.requestId,
        row.bodyBytes,
        performance.now() - row.arrivedAtMs,
        row.sealed,
        row.traceparent,
      ],
      { prepare: true },
    );
    if (stored.length !== 1) throw new Error('this benchmark sends every event once');
    return { kind: 'new', receiptId: row.id };
  };

await serveUntilSignal((hub) => {
  const { deps } = hub.impactIn;
  const submit = process.argv[2] === 'keep-nothing' ? keepNothing : insertPerRequest(hub.db.systemSql);
  deps.inbox = { ...deps.inbox, submit };
  return hub.modules;
});
