import { jobChannel, type Sql } from '@impact-hub/core';
import type { RepeatCap } from './repeat-cap.ts';
import { timeOfId, type AuthenticReceiptRow, type ReceiptRow, type StoredReceipt } from './receipt-row.ts';

/** Names of the jobs; the inbox writes them without importing what they do. */
export const processReceiptJob = 'impact-in.process-receipt';
export const reportConflictJob = 'impact-in.report-conflict';
export const confirmReceiptJob = 'impact-in.confirm-receipt';

/** Why an event that nobody signed is in quarantine: its partner's API has to confirm it first. */
export const awaitingConfirmation = 'awaiting_confirmation';

/**
 * Parameters of one batch: the columns as JSON, the bytes of all rows in one base64 text, cut apart in SQL. Measured
 * with 1 KB bodies against arrays of hex, base64 or bytea per column: least time in Node and in Postgres.
 */
const encode = <R extends ReceiptRow>(
  rows: readonly R[],
  bytesOf: (row: R) => Buffer[],
  more: (row: R) => Record<string, unknown>,
): [columns: string, bytes: string] => {
  const nowMs = performance.now();
  const parts: Buffer[] = [];
  let offset = 1;
  const columns = rows.map((row) => {
    const start = offset;
    for (const part of bytesOf(row)) {
      parts.push(part);
      offset += part.length;
    }
    return {
      id: row.id,
      ms: timeOfId(row.id),
      co: row.companyId,
      ep: row.endpointId,
      pa: row.partner,
      re: row.reason,
      ei: row.eventId,
      et: row.eventType,
      ci: row.correlationId,
      ek: row.entityKey,
      si: row.secretId,
      rq: row.requestId,
      bb: row.bodyBytes,
      la: Math.round(((row.answeredAtMs ?? nowMs) - row.arrivedAtMs) * 1_000) / 1_000,
      of: start,
      le: row.sealed.length,
      ...more(row),
    };
  });
  return [JSON.stringify(columns), Buffer.concat(parts).toString('base64')];
};

const columnTypes = `id uuid, ms int8, co uuid, ep uuid, pa text, re text, ei text, et text, ci text, ek text, si text,
  rq text, bb int4, la float4, of int4, le int4`;
const receiptColumns = `id, received_at, company_id, endpoint_id, partner, outcome, reason, event_id, event_type,
  correlation_id, entity_key, secret_id, request_id, original_id, body_bytes, latency_ms, sealed`;

const storeFreshSql = `
  with input as (
    select r.*, to_timestamp(r.ms / 1000.0) as at, substring(raw.bytes from of for 32) as key,
           substring(raw.bytes from of + 32 for 32) as sha, substring(raw.bytes from of + 64 for le) as sealed
    from (select decode($2::text, 'base64') as bytes offset 0) raw,
         jsonb_to_recordset($1::text::jsonb) as r(${columnTypes}, oc text, tp text)
  ), fresh as (
    insert into impact_in_dedupe (endpoint_id, dedupe_key, company_id, receipt_id, body_sha256, first_seen_at)
    select ep, key, co, id, sha, at from input
    on conflict do nothing
    returning receipt_id
  ), stored as (
    insert into impact_in_receipt (${receiptColumns})
    select id, at, co, ep, pa, oc, re, ei, et, ci, ek, si, rq, null, bb, la, sealed
    from input where id in (select receipt_id from fresh)
  ), jobs as (
    insert into job (id, company_id, queue, payload, traceparent)
    select id, co, case oc when 'accepted' then '${processReceiptJob}' else '${confirmReceiptJob}' end,
           jsonb_build_object('receiptId', id), tp
    from input where (oc = 'accepted' or re = '${awaitingConfirmation}') and id in (select receipt_id from fresh)
  )
  select receipt_id from fresh`;

const findKnownSql = `
  select k.n, d.receipt_id as "receiptId", d.body_sha256 = decode(k.sha, 'base64') as "sameBytes"
  from jsonb_to_recordset($1::text::jsonb) as k(n int4, ep uuid, key text, sha text)
  join impact_in_dedupe d on d.endpoint_id = k.ep and d.dedupe_key = decode(k.key, 'base64')`;

/** Repeatable: a reply lost after the commit leads to the same rows again. */
const storeRepeatedSql = `
  with input as (
    select r.*, to_timestamp(r.ms / 1000.0) as at, case when le > 0 then substring(raw.bytes from of for le) end as sealed
    from (select decode($2::text, 'base64') as bytes offset 0) raw,
         jsonb_to_recordset($1::text::jsonb) as r(${columnTypes}, oc text, oi uuid)
  ), jobs as (
    insert into job (id, company_id, queue, payload)
    select id, co, '${reportConflictJob}', jsonb_build_object('receiptId', id, 'originalId', oi) from input where oc = 'conflict'
    on conflict do nothing
  )
  insert into impact_in_receipt (${receiptColumns})
  select id, at, co, ep, pa, oc, re, ei, et, ci, ek, si, rq, oi, bb, la, sealed
  from input
  on conflict do nothing`;

/** One order for all batches of all processes; overlapping batches would deadlock otherwise. Equal keys stay in order. */
const byKey = (a: AuthenticReceiptRow, b: AuthenticReceiptRow): number =>
  a.endpointId < b.endpointId ? -1 : a.endpointId > b.endpointId ? 1 : Buffer.compare(a.dedupeKey, b.dedupeKey);

type Known = { row: AuthenticReceiptRow; receiptId: string; sameBytes: boolean };

/** A new statement, hence a new snapshot: it sees what the insertion above waited for. */
const findKnown = async (sql: Sql, rows: readonly AuthenticReceiptRow[]): Promise<Known[]> => {
  const keys = rows.map((row, n) => ({
    n,
    ep: row.endpointId,
    key: row.dedupeKey.toString('base64'),
    sha: row.bodySha256.toString('base64'),
  }));
  const found = await sql.unsafe<{ n: number; receiptId: string; sameBytes: boolean }[]>(
    findKnownSql,
    [JSON.stringify(keys)],
    { prepare: true },
  );
  if (found.length < rows.length) throw Object.assign(new Error('an event was forgotten meanwhile'), { code: '40001' });
  return found.map(({ n, receiptId, sameBytes }) => ({ row: rows[n] as AuthenticReceiptRow, receiptId, sameBytes }));
};

const storeRepeated = async (sql: Sql, known: readonly Known[]): Promise<void> => {
  if (known.length === 0) return;
  const stored = new Map(known.map(({ row, receiptId, sameBytes }) => [row.id, { receiptId, sameBytes }]));
  const isDuplicate = (row: ReceiptRow): boolean => stored.get(row.id)?.sameBytes === true;
  // The bytes of a duplicate are those of its original; storing them again would let a repeating sender fill the disk.
  const rows = known.map(({ row }) => (isDuplicate(row) ? { ...row, sealed: Buffer.alloc(0) } : row));
  const parameters = encode(
    rows,
    (row) => [row.sealed],
    (row) => ({
      oc: isDuplicate(row) ? 'duplicate' : 'conflict',
      oi: stored.get(row.id)?.receiptId,
    }),
  );
  await sql.unsafe(storeRepeatedSql, parameters, { prepare: true });
};

const repeatKey = (row: AuthenticReceiptRow): string =>
  `${row.endpointId} ${row.dedupeKey.toString('base64')} ${row.bodySha256.toString('base64')}`;

/** @returns for each receipt beyond the cap, the stored one with the same bytes */
const storeRepeatedWithinCap = async (
  sql: Sql,
  known: readonly Known[],
  cap: RepeatCap | undefined,
): Promise<ReadonlyMap<string, string>> => {
  const batch = cap?.begin();
  const instead = new Map<string, string>();
  const within = known.filter(({ row }) => {
    const admission = batch?.admit(repeatKey(row), row.id);
    if (admission?.stored !== false) return true;
    instead.set(row.id, admission.insteadOf);
    return false;
  });
  await storeRepeated(sql, within);
  batch?.committed();
  return instead;
};

/**
 * Stores authentic receipts durably and says of each whether it is new. The dedupe rows, receipts and jobs of the new
 * ones are one statement, hence one transaction; repeated events are looked up and recorded by two more, after the
 * first has committed, so that "duplicate" is only ever said of a committed event. Calling it again with the same rows
 * is harmless: a row that finds itself already stored is new.
 *
 * @param sql a pool of the system role
 * @param cap bounds how often the same bytes are recorded again; without it, each time
 */
export const storeReceipts = async (
  sql: Sql,
  rows: readonly AuthenticReceiptRow[],
  cap?: RepeatCap,
): Promise<StoredReceipt[]> => {
  const sorted = [...rows].sort(byKey);
  const parameters = encode(
    sorted,
    (row) => [row.dedupeKey, row.bodySha256, row.sealed],
    (row) => ({
      oc: row.outcome,
      tp: row.traceparent,
    }),
  );
  const fresh = new Set(
    (await sql.unsafe<{ receipt_id: string }[]>(storeFreshSql, parameters, { prepare: true })).map(
      (row) => row.receipt_id,
    ),
  );
  if (fresh.size === rows.length) return rows.map((row) => ({ kind: 'new', receiptId: row.id }));
  const known = await findKnown(
    sql,
    sorted.filter((row) => !fresh.has(row.id)),
  );
  const instead = await storeRepeatedWithinCap(
    sql,
    known.filter(({ row, receiptId }) => receiptId !== row.id),
    cap,
  );
  const knownById = new Map(known.map((entry) => [entry.row.id, entry]));
  return rows.map((row): StoredReceipt => {
    const entry = knownById.get(row.id);
    if (entry === undefined || entry.receiptId === row.id) return { kind: 'new', receiptId: row.id };
    if (entry.sameBytes) return { kind: 'duplicate', receiptId: entry.receiptId };
    return { kind: 'conflict', receiptId: instead.get(row.id) ?? row.id, originalId: entry.receiptId };
  });
};

/** Stores refused requests: no dedupe, no job. */
export const storeRejected = async (sql: Sql, rows: readonly ReceiptRow[]): Promise<void> => {
  const parameters = encode(
    rows,
    (row) => [row.sealed],
    () => ({ oc: 'rejected', oi: null }),
  );
  await sql.unsafe(storeRepeatedSql, parameters, { prepare: true });
};

/**
 * Wakes the relays. Apart from the batches: NOTIFY takes a lock over the whole cluster until its commit has reached
 * the disk, and would make the flushes wait for each other.
 */
export const wakeRelay = async (sql: Sql): Promise<void> => {
  await sql.unsafe('select pg_notify($1, $2)', [jobChannel, ''], { prepare: true });
};
