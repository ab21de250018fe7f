import type { OutboundEvent } from '../impact-event.ts';
import type { PartnerApi } from '../partner-api.ts';
import { failed, type AttemptEnd } from './attempt-end.ts';
import type { HttpAnswer } from './http-client.ts';
import { isFields, parseFields, plainText, readAnswer, textAt, type Fields } from './read-answer.ts';
import { readEnvelope } from './soap.ts';

/** One event's part of an answer; null when it has none that can be read. */
export type Judged = { end: AttemptEnd; answer: Fields | null };

const retriedStatuses = new Set([408, 425, 429]);

/** The partner's own words with the status they came with. */
const saidWith = (status: number, reason: string): string => plainText(`HTTP ${status}: ${reason}`);

/** What the status alone says; undefined for one that lets the answer speak. */
const endOfStatus = (status: number, reason: string | null): AttemptEnd | undefined => {
  const httpStatus = status;
  const error = reason === null ? `the partner answered ${status}` : saidWith(status, reason);
  if (status >= 200 && status < 300) return undefined;
  if (status === 429) return failed('rate_limited', { httpStatus, error });
  if (status >= 500 || retriedStatuses.has(status)) return failed('partner_error', { httpStatus, error });
  if (status === 401) return failed('credentials', { httpStatus, error });
  if (status >= 300 && status < 400)
    return failed('redirected', {
      httpStatus,
      error: `the partner answered ${status}`,
      status: 'failed',
      mayRetry: false,
    });
  return failed('refused', { httpStatus, error, status: 'failed', mayRetry: false });
};

const endOfFields = (api: PartnerApi, httpStatus: number, fields: Fields): AttemptEnd => {
  const { transactionId: partnerTransactionId, status, isDuplicate, reason } = readAnswer(fields, api.answer);
  const taken = isDuplicate && httpStatus === 409;
  const refusal = taken ? undefined : endOfStatus(httpStatus, reason);
  if (refusal !== undefined) return refusal;
  if (status === 'failed')
    return failed('refused', {
      error: reason ?? 'the partner refused the event',
      status: 'failed',
      mayRetry: false,
      httpStatus,
      partnerTransactionId,
    });
  return {
    result: 'success',
    status: status ?? (httpStatus === 202 ? 'pending' : 'success'),
    mayRetry: false,
    errorClass: null,
    error: null,
    httpStatus,
    partnerTransactionId,
  };
};

const unreadable = (httpStatus: number): AttemptEnd =>
  failed('unreadable_answer', { result: 'unknown', httpStatus, error: 'the answer could not be read' });

const everyone = (events: readonly OutboundEvent[], judged: Judged): Map<string, Judged> =>
  new Map(events.map(({ deliveryId }) => [deliveryId, judged]));

const judgeSoap = (api: PartnerApi, { status, body }: HttpAnswer): Judged => {
  const read = readEnvelope(body);
  if (read === undefined) return { end: endOfStatus(status, null) ?? unreadable(status), answer: null };
  if (read.kind === 'response') return { end: endOfFields(api, status, read.fields), answer: read.fields };
  const error = saidWith(status, read.reason || `fault ${read.code}`);
  const answer = { fault: read.code, reason: read.reason };
  if (/security|auth/i.test(read.code)) return { end: failed('credentials', { httpStatus: status, error }), answer };
  const isOurs = /client|sender|validation/i.test(read.code);
  const end = isOurs
    ? failed('refused', { httpStatus: status, error, status: 'failed', mayRetry: false })
    : failed('partner_error', { httpStatus: status, error });
  return { end, answer };
};

/** The status a batch's answer gives to one record; the call's own where it gives none of HTTP. */
const ownStatusOf = ({ httpStatus }: Fields, ofCall: number): number =>
  (typeof httpStatus === 'number' || typeof httpStatus === 'string') && /^[1-5]\d\d$/.test(String(httpStatus))
    ? Number(httpStatus)
    : ofCall;

/** Each record has an answer of its own, found by our transaction id or, without one, by its place. */
const judgeBatch = (api: PartnerApi, { status }: HttpAnswer, fields: Fields, events: readonly OutboundEvent[]) => {
  const list = fields[api.batch?.answerField ?? ''];
  const answers = Array.isArray(list) ? list.filter(isFields) : [];
  const named = new Map(
    answers.flatMap((answer) => {
      const ours = textAt(answer, ['idempotencyKey', 'reference']);
      return ours === null ? [] : [[ours, answer] as const];
    }),
  );
  const inOrder = named.size === 0 && answers.length === events.length;
  return new Map(
    events.map(({ deliveryId }, index): [string, Judged] => {
      const answer = (inOrder ? answers[index] : named.get(deliveryId)) ?? null;
      if (answer === null) return [deliveryId, { end: unreadable(status), answer }];
      return [deliveryId, { end: endOfFields(api, ownStatusOf(answer, status), answer), answer }];
    }),
  );
};

/** Of events refused together, one may be at fault: each is to be sent alone before it is given up. */
const aloneNext = ({ end, answer }: Judged): Judged =>
  end.errorClass === 'refused'
    ? { end: { ...end, errorClass: 'batch_refused', status: null, mayRetry: true }, answer }
    : { end, answer };

/** What an answer means for each event of the call. */
export const judgeAnswer = (
  api: PartnerApi,
  answer: HttpAnswer,
  events: readonly OutboundEvent[],
): Map<string, Judged> => {
  if (api.format === 'soap') return everyone(events, judgeSoap(api, answer));
  const fields = parseFields(answer.body);
  if (fields === undefined) {
    const judged = { end: endOfStatus(answer.status, null) ?? unreadable(answer.status), answer: null };
    return everyone(events, events.length > 1 ? aloneNext(judged) : judged);
  }
  const isTaken = answer.status >= 200 && answer.status < 300;
  if (events.length > 1 && isTaken) return judgeBatch(api, answer, fields, events);
  const judged = { end: endOfFields(api, answer.status, fields), answer: fields };
  return everyone(events, events.length > 1 ? aloneNext(judged) : judged);
};
