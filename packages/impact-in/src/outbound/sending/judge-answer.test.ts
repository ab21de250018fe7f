import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { partnerApiNames, partnerApis } from '../partner-apis.ts';
import type { OutboundEvent } from '../impact-event.ts';
import { judgeAnswer } from './judge-answer.ts';

const eventOf = (deliveryId: string): OutboundEvent => ({
  deliveryId,
  transactionId: deliveryId,
  eventType: 'impact.recorded',
  activity: 'Reading',
  hours: 1,
  occurredAt: '2026-03-01T12:00:00.000Z',
});
const judgeOne = (api: (typeof partnerApiNames)[number], status: number, body: unknown) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return judgeAnswer(partnerApis[api], { status, headers: {}, body: text }, [eventOf('a')]).get('a')?.end;
};

describe('an answer', () => {
  test.each([
    [
      200,
      { transaction_id: 't1', status: 'success' },
      { result: 'success', status: 'success', partnerTransactionId: 't1' },
    ],
    [201, {}, { result: 'success', status: 'success', partnerTransactionId: null }],
    [202, { id: 7 }, { result: 'success', status: 'pending', partnerTransactionId: '7' }],
    [200, { status: 'constructor' }, { result: 'success', status: 'success' }],
    [200, { status: 'Processing' }, { result: 'success', status: 'pending' }],
    [
      409,
      { code: 'duplicate_transaction', id: 'x' },
      { result: 'success', status: 'success', partnerTransactionId: 'x' },
    ],
    [
      409,
      { error: 'locked' },
      { result: 'failure', mayRetry: false, errorClass: 'refused', error: 'HTTP 409: locked' },
    ],
    [500, { error: 'internal' }, { result: 'failure', errorClass: 'partner_error', error: 'HTTP 500: internal' }],
    [422, { status: 'duplicate' }, { result: 'failure', mayRetry: false, errorClass: 'refused' }],
    [
      200,
      { status: 'rejected', error_message: 'no' },
      { result: 'failure', mayRetry: false, status: 'failed', error: 'no' },
    ],
    [404, '<html>', { result: 'failure', mayRetry: false, errorClass: 'refused', error: 'the partner answered 404' }],
    [408, {}, { result: 'failure', mayRetry: true, errorClass: 'partner_error' }],
    [401, {}, { result: 'failure', mayRetry: true, errorClass: 'credentials' }],
    [200, '<html>', { result: 'unknown', mayRetry: true, errorClass: 'unreadable_answer' }],
    [200, '[]', { result: 'unknown', mayRetry: true, errorClass: 'unreadable_answer' }],
    [504, '', { result: 'failure', mayRetry: true, errorClass: 'partner_error' }],
  ])('of status %i with %j says what follows', (status, body, expected) =>
    expect(judgeOne('benevity', status, body)).toMatchObject(expected),
  );

  const fault = (code: string) =>
    `<e:Envelope xmlns:e="x"><e:Body><e:Fault><faultcode>e:${code}</faultcode><faultstring>why</faultstring></e:Fault></e:Body></e:Envelope>`;
  test.each([
    ['Client.validationError', { mayRetry: false, errorClass: 'refused', error: 'HTTP 500: why' }],
    ['Server', { mayRetry: true, errorClass: 'partner_error' }],
    ['Client.authentication', { mayRetry: true, errorClass: 'credentials' }],
    ['InvalidSecurity', { mayRetry: true, errorClass: 'credentials' }],
  ])('of SOAP with the fault %s says what follows', (code, expected) =>
    expect(judgeOne('workday-soap', 500, fault(code))).toMatchObject({ result: 'failure', ...expected }),
  );

  test.each([200.5, '200.5', 99, 600, 1e9, '', null, true, [422], {}, '0x1a0'])(
    'to a batch may write %j for the status of a record: only one of HTTP counts',
    (httpStatus) => {
      const events = ['a', 'b'].map(eventOf);
      const results = events.map(({ deliveryId }) => ({ idempotencyKey: deliveryId, httpStatus, id: deliveryId }));
      const answer = { status: 207, headers: {}, body: JSON.stringify({ results }) };
      for (const { end } of judgeAnswer(partnerApis['goodera-key'], answer, events).values())
        expect(end).toMatchObject({ result: 'success', httpStatus: 207 });
    },
  );

  test('of whatever bytes is judged for every event of the call', () => {
    const hostile = fc.string({ unit: 'binary', minLength: 250, maxLength: 350 });
    const body = fc.oneof(
      hostile.map((text) =>
        JSON.stringify({ status: 'failed', error: text, id: text, message: `${'x'.repeat(299)}😀` }),
      ),
      hostile.map((text) => fault('Client').replace('why', () => text)),

      fc.json(),
      fc.string(),
      fc.json().map((text) => `{"results":${text}}`),
      fc.constant(fault('Client')),
    );
    const ids = fc.uniqueArray(fc.uuid(), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(
        fc.constantFrom(...partnerApiNames),
        fc.integer({ min: 200, max: 599 }),
        body,
        ids,
        (api, status, text, given) => {
          const events = (partnerApis[api].batch === undefined ? given.slice(0, 1) : given).map(eventOf);
          const judged = judgeAnswer(partnerApis[api], { status, headers: {}, body: text }, events);
          for (const { deliveryId } of events) {
            const end = judged.get(deliveryId)?.end;
            expect(end).toBeDefined();
            // What is not tried again has an end that can be shown.
            expect(end?.mayRetry === true || end?.status !== null).toBe(true);
            expect(end?.result === 'success').toBe(end?.errorClass === null);
            expect(end?.httpStatus ?? 0).toSatisfy(Number.isInteger);
            for (const kept of [end?.error, end?.partnerTransactionId]) {
              expect(kept?.length ?? 0).toBeLessThanOrEqual(300);
              expect(kept ?? '').toSatisfy((text: string) => text.isWellFormed() && !/\p{Cc}/u.test(text));
            }
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
