import { BreakerOpenError } from '@impact-hub/core';
import { and, desc, eq, inArray } from 'drizzle-orm';
import type { ConfirmEvent, EventConfirmation } from '../confirmation/confirm-event.ts';
import type { PartnerEvent } from '../partners/partner.ts';
import type { PartnerName } from '../verification/profile.ts';
import { openConnection, type OpenConnection } from './connections/open-connection.ts';
import type { SendingDeps } from './outbound-deps.ts';
import { partnerApiNames, partnerApis } from './partner-apis.ts';
import { TokenRefused } from './sending/access-tokens.ts';
import { answerInTime } from './sending/answer-in-time.ts';
import { breakerNameOf, partnerBreaker } from './sending/breaker-name.ts';
import { buildReading } from './sending/build-request.ts';
import { callAuthenticated, explanations } from './sending/call-partner.ts';
import type { HttpAnswer } from './sending/http-client.ts';
import { CallFailed } from './sending/http-client.ts';
import { parseFields, readAnswer } from './sending/read-answer.ts';
import { impactInConnection, type ConnectionRow } from './tables.ts';

type Deps = Pick<SendingDeps, 'db' | 'crypto' | 'clock' | 'outbound'>;

/** The company's newest connection to an API of the partner where records can be read. */
const findReadable = (deps: Deps, companyId: string, partner: PartnerName): Promise<ConnectionRow | undefined> => {
  const apis = partnerApiNames.filter(
    (name) => partnerApis[name].partner === partner && partnerApis[name].recordPath !== undefined,
  );
  const { api, state, createdAt } = impactInConnection;
  return deps.db.company(companyId, async (tx) => {
    const isUsable = and(eq(impactInConnection.companyId, companyId), inArray(api, apis), eq(state, 'active'));
    return (await tx.orm.select().from(impactInConnection).where(isUsable).orderBy(desc(createdAt)).limit(1))[0];
  });
};

const unreachable = (reason: string): EventConfirmation => ({ outcome: 'unreachable', reason });

/** An event that is still open is true of a record that has gone on since. */
const compare = (event: PartnerEvent, connection: OpenConnection, { status, body }: HttpAnswer): EventConfirmation => {
  if (status === 404 || status === 410) return { outcome: 'denied', reason: 'the partner knows no such record' };
  const fields = status === 200 ? parseFields(body) : undefined;
  if (fields === undefined) return unreachable(`the partner answered ${status}`);
  const read = readAnswer(fields, connection.api.answer);
  const isSame = read.status === event.status || (event.status === 'pending' && read.status === 'success');
  if (isSame) return { outcome: 'confirmed' };
  const found = read.status ?? 'without a status';
  return { outcome: 'denied', reason: `the partner’s record is ${found}, not ${event.status}` };
};

const ask = async (
  deps: Deps,
  row: ConnectionRow,
  event: PartnerEvent,
  signal: AbortSignal,
): Promise<EventConfirmation> => {
  const connection = await openConnection(deps.crypto, row);
  const { outbound, clock } = deps;
  const path = connection.api.recordPath ?? '';
  const { answer, error } = await outbound.breakers
    .get(breakerNameOf(row), partnerBreaker)
    .run(
      () =>
        callAuthenticated(
          { ...outbound, clock },
          connection,
          (token) => buildReading(connection, path, token, event.correlationId ?? ''),
          signal,
        ),
      {
        isFailure: (ended) =>
          'error' in ended || ended.value.error !== null || (ended.value.answer?.status ?? 0) >= 500,
      },
    );
  if (error !== null) return unreachable(explanations[error.errorClass]);
  return answer === null ? unreachable('the partner did not answer') : compare(event, connection, answer);
};

/** Dots alone lead to another path, however they are encoded (RFC 3986 §5.2.4), and half a surrogate pair to none. */
const isRecordId = (id: string | null): boolean => id !== null && id.isWellFormed() && !/^\.*$/.test(id);

/** Whoever asks holds a transaction and one of a few places meanwhile; it asks again later. */
const defaultPatienceMs = 5_000;

/** Makes the question to a partner's API whether an event is true; see `ConfirmEvent`. */
export const createConfirmEvent =
  (deps: Deps, patienceMs = defaultPatienceMs): ConfirmEvent =>
  async ({ companyId, partner, event }) => {
    if (!isRecordId(event.correlationId)) return { outcome: 'denied', reason: 'the event names no record' };
    const row = await findReadable(deps, companyId, partner);
    if (row === undefined) return { outcome: 'no_connection' };
    try {
      return await answerInTime(patienceMs, unreachable('no answer in time'), (signal) =>
        ask(deps, row, event, signal),
      );
    } catch (error) {
      if (error instanceof BreakerOpenError) return unreachable('the partner is not called after repeated failures');
      if (error instanceof CallFailed) return unreachable(explanations[error.errorClass]);
      if (error instanceof TokenRefused) return unreachable(`the partner gave no token (${error.status})`);
      throw error;
    }
  };
