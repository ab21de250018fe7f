import { timingSafeEqual } from 'node:crypto';
import {
  idempotencyOf,
  type Answer,
  type AroundHandler,
  type Call,
  type Clock,
  type Database,
  type MetricsRegistry,
  type Principal,
  type Tx,
} from '@impact-hub/core';
import { createAnswerSealer, type AnswerSealer } from './answer-sealer.ts';
import { fingerprintRequest } from './fingerprint-request.ts';
import { createIdempotencyMetrics, type IdempotencyMetrics } from './idempotency-metrics.ts';
import { answerUnreadable, keyReused, requestInFlight } from './problems.ts';
import { headerInvalid, idempotencyHeader, readIdempotencyKey } from './read-idempotency-key.ts';
import { claimRecord, insertRecord, type RecordId, type StoredRecord } from './record-repository.ts';
import { AnswerUndone, runForAnswer, type Ran } from './run-for-answer.ts';

export type IdempotencyOptions = {
  db: Database;
  clock: Clock;
  metrics: MetricsRegistry;
  /** The same in all processes; stored answers cannot be opened without it. */
  secret: string;
};

type Deps = { db: Database; clock: Clock; sealer: AnswerSealer; metrics: IdempotencyMetrics };
type Attempt = { key: string; id: RecordId; fingerprint: Buffer; isSystem: boolean };

/** SCOPE GW-3. */
const keptForMs = 24 * 3_600_000;
/** An answer beyond this is not stored, only that it was given: the largest body a route takes by default. */
const maxStoredBytes = 1_048_576;

const callerOf = (principal: Exclude<Principal, { kind: 'anonymous' }>): string =>
  principal.kind === 'api_key' ? `key:${principal.keyId}` : `person:${principal.personId}`;

const store = async ({ clock, sealer, metrics }: Deps, tx: Tx, attempt: Attempt, answer: Answer): Promise<void> => {
  const { id, fingerprint } = attempt;
  const { status } = answer;
  const place = { ...id, fingerprint, status };
  const sealed = Buffer.byteLength(answer.body) > maxStoredBytes ? null : sealer.seal(attempt.key, place, answer);
  const answeredAt = clock.now();
  const expiresAt = new Date(answeredAt.getTime() + keptForMs);
  if (!(await insertRecord(tx, id, { fingerprint, status, sealed, answeredAt, expiresAt })))
    throw requestInFlight(soon);
  metrics.addStoredBytes(sealed?.length ?? 0);
};

const soon = { headers: { 'retry-after': '1' } };

/** @throws ProblemError `idempotency.key_reused`, `idempotency.answer_unreadable` */
const replay = ({ sealer, metrics }: Deps, { key, id, fingerprint }: Attempt, stored: StoredRecord): Answer => {
  if (!timingSafeEqual(fingerprint, stored.fingerprint)) {
    metrics.count('mismatch');
    throw keyReused();
  }
  const { status, sealed } = stored;
  const headers = { 'x-idempotency-replayed': 'true', 'x-original-timestamp': stored.answeredAt.toISOString() };
  const answer = sealed === null ? undefined : sealer.open(key, { ...id, fingerprint, status }, sealed);
  if (answer === undefined) {
    metrics.count('unreadable');
    const why = sealed === null ? 'was too large to keep' : 'was sealed under a secret this hub no longer has';
    throw answerUnreadable({ headers, detail: `It was answered with ${status}; that answer ${why}.` });
  }
  metrics.count('replayed');
  return { status, body: answer.body, headers: { ...answer.headers, ...headers } };
};

type Outcome = { stored: StoredRecord } | Ran;

const executeOnce = async (deps: Deps, tx: Tx, attempt: Attempt, call: Call, run: () => Promise<Answer>) => {
  const { isHeld, stored } = await claimRecord(tx, attempt.id);
  if (stored !== undefined && stored.expiresAt > deps.clock.now()) return { stored };
  if (!isHeld) throw requestInFlight(soon);
  const ran = await runForAnswer(() => deps.db.joining(tx, run), call.request);
  if (ran.isKept) await store(deps, tx, attempt, ran.answer);
  return ran;
};

const answerFor = async (deps: Deps, attempt: Attempt, call: Call, run: () => Promise<Answer>): Promise<Answer> => {
  const { db, metrics } = deps;
  const work = (tx: Tx): Promise<Outcome> => executeOnce(deps, tx, attempt, call, run);
  let outcome: Outcome;
  try {
    outcome = await (attempt.isSystem ? db.system(work) : db.company(attempt.id.companyId, work));
  } catch (error) {
    metrics.count(isInFlight(error) ? 'in_flight' : 'not_stored');
    if (error instanceof AnswerUndone) return error.answer;
    throw error;
  }
  if ('stored' in outcome) return replay(deps, attempt, outcome.stored);
  metrics.count(outcome.isKept ? 'executed' : 'not_stored');
  // Thrown on, so that the log of the request names the problem.
  if (outcome.problem !== undefined) throw outcome.problem;
  return outcome.answer;
};

const isInFlight = (error: unknown): boolean =>
  error instanceof Error && 'definition' in error && error.definition === requestInFlight.definition;

/**
 * Makes changes that carry an `Idempotency-Key` happen once: the handler runs inside one transaction, and its answer
 * is stored in that same transaction. Whatever ends the process leaves either both or neither, so there is no state
 * between them to clean up, and a retry either gets the stored answer or runs for the first time.
 */
export const createIdempotency = ({ db, clock, metrics, secret }: IdempotencyOptions) => {
  const deps: Deps = { db, clock, sealer: createAnswerSealer(secret), metrics: createIdempotencyMetrics(metrics) };
  return {
    /** @throws ProblemError `request.invalid` for a header that is no key, or where no key can be honoured */
    around: (call: Call): AroundHandler | undefined => {
      const { request, route, principal } = call;
      const header = request.headers[idempotencyHeader];
      if (header === undefined || principal.kind === 'anonymous') return undefined;
      const whose = idempotencyOf(route);
      if (whose === 'none') return undefined;
      if (whose === 'refused') throw headerInvalid('This operation cannot be made repeatable; leave the header out.');
      const key = readIdempotencyKey(header);
      const { method, path } = route;
      const { params, query, body } = request;
      const fingerprint = fingerprintRequest({ method, path, params, query, body });
      const id = { companyId: principal.companyId, caller: callerOf(principal), keyHash: deps.sealer.hashKey(key) };
      const attempt = { key, id, fingerprint, isSystem: whose === 'system' };
      return (run) => answerFor(deps, attempt, call, run);
    },
  };
};

export type Idempotency = ReturnType<typeof createIdempotency>;
