import { describe, expect, it } from 'vitest';
import { currentTraceparent, inSpan, parseTraceparent, traceHeaders, traceIdOf, withTraceOf } from './tracing.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
const id = '0199c0de-0000-7000-8000-00000000abcd';

describe('a traceparent', () => {
  it.each([
    ['version 00', traceparent, traceparent],
    ['a later version with more fields', `cc-${traceId}-00f067aa0ba902b7-01-what-the-future-brings`, traceparent],
    ['a later version without', `01-${traceId}-00f067aa0ba902b7-01`, traceparent],
    ['version 00 with more fields', `${traceparent}-more`, undefined],
    ['version ff', `ff-${traceId}-00f067aa0ba902b7-01`, undefined],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, undefined],
    ['a parent id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`, undefined],
    ['capital letters', traceparent.toUpperCase(), undefined],
    ['a later version that runs on', `01-${traceId}-00f067aa0ba902b7-01x`, undefined],
    ['two of them', `${traceparent}, ${traceparent}`, undefined],
    ['nonsense', 'nonsense', undefined],
    ['nothing', undefined, undefined],
  ])('%s', (_what, header, read) => {
    expect(parseTraceparent(header)).toBe(read);
  });
});

describe('the trace of a request', () => {
  it('is passed on as it came, with its state', async () => {
    const headers = { traceparent, tracestate: 'vendor=1,other=2' };
    await withTraceOf({ id, headers }, async () => {
      await Promise.resolve();
      expect(currentTraceparent()).toBe(traceparent);
      expect(traceHeaders()).toEqual(headers);
    });
    expect(traceIdOf({ id, headers })).toBe(traceId);
  });

  it.each([undefined, 'malformed'])('begins under its own id when it came with %s', (given) => {
    const headers = { traceparent: given, tracestate: 'vendor=1' };
    const own = '00-0199c0de00007000800000000000abcd-800000000000abcd-00';
    expect(withTraceOf({ id, headers }, traceHeaders)).toEqual({ traceparent: own });
    expect(traceIdOf({ id, headers })).toBeUndefined();
    const named = withTraceOf({ id: 'order-12345', headers }, currentTraceparent);
    expect(parseTraceparent(named ?? undefined)).toBe(named);
  });

  it.each([
    ['all zeros', '00000000-0000-0000-0000-000000000000'],
    ['zeros in its second half', '0199c0de-0000-7000-0000-000000000000'],
  ])('is a valid one although its own id is %s', (_what, zeros) => {
    const given = withTraceOf({ id: zeros, headers: {} }, currentTraceparent);
    expect(given).not.toBeNull();
    expect(parseTraceparent(given ?? undefined)).toBe(given);
  });

  it('does not exist outside a request', () => {
    expect(currentTraceparent()).toBeNull();
    expect(traceHeaders()).toEqual({});
  });

  it('goes on in the jobs that carry it', async () => {
    expect(await inSpan('job', {}, traceparent, async () => currentTraceparent())).toBe(traceparent);
    expect(await inSpan('job', {}, undefined, async () => currentTraceparent())).toBeNull();
  });
});
