import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTimestamp } from './parse-timestamp.ts';

describe('a timestamp', () => {
  it.each([
    ['0', 'unix_s', 0],
    ['1614265330', 'unix_s', 1_614_265_330_000],
    ['999999999999', 'unix_s', 999_999_999_999_000],
    ['1614265330123', 'unix_ms', 1_614_265_330_123],
    ['2026-03-01T12:00:00Z', 'iso8601', Date.UTC(2026, 2, 1, 12)],
    ['2026-03-01T12:00:00.5Z', 'iso8601', Date.UTC(2026, 2, 1, 12, 0, 0, 500)],
    ['2026-03-01T12:00:00.123456789+05:30', 'iso8601', Date.UTC(2026, 2, 1, 6, 30, 0, 123)],
    ['2026-03-01T12:00:00-00:00', 'iso8601', Date.UTC(2026, 2, 1, 12)],
    ['2024-02-29T23:59:59Z', 'iso8601', Date.UTC(2024, 1, 29, 23, 59, 59)],
  ] as const)('%s as %s is understood', (text, format, ms) => {
    expect(parseTimestamp(text, format)).toBe(ms);
  });

  const neverNumbers = [
    '',
    ' ',
    '-1',
    '+1',
    '1.0',
    '1e9',
    '0x10',
    ' 1614265330',
    '1614265330 ',
    '1614265330\n',
    '١٦١٤',
    'NaN',
    'Infinity',
  ];
  it.each(neverNumbers)('%j is no number of seconds or milliseconds', (text) => {
    expect(parseTimestamp(text, 'unix_s')).toBeNull();
    expect(parseTimestamp(text, 'unix_ms')).toBeNull();
  });

  it('has at most 12 digits in seconds and 15 in milliseconds', () => {
    expect(parseTimestamp('1'.repeat(13), 'unix_s')).toBeNull();
    expect(parseTimestamp('1'.repeat(16), 'unix_ms')).toBeNull();
  });

  it.each([
    '2026-03-01',
    '2026-03-01T12:00:00',
    '2026-03-01 12:00:00Z',
    '2026-03-01t12:00:00z',
    '2026-03-01T12:00Z',
    '2026-03-01T24:00:00Z',
    '2026-03-01T12:60:00Z',
    '2026-03-01T12:00:60Z',
    '2026-02-29T12:00:00Z',
    '2026-02-30T12:00:00Z',
    '2026-04-31T12:00:00Z',
    '2026-13-01T12:00:00Z',
    '2026-00-10T12:00:00Z',
    '2026-03-00T12:00:00Z',
    '2026-03-01T12:00:00.Z',
    '2026-03-01T12:00:00+0530',
    '2026-03-01T12:00:00+24:00',
    '2026-03-01T12:00:00Z ',
    '+002026-03-01T12:00:00Z',
    'Sun, 01 Mar 2026 12:00:00 GMT',
    '1614265330',
    '20260301T120000Z',
  ])('%j is no RFC 3339 time', (text) => {
    expect(parseTimestamp(text, 'iso8601')).toBeNull();
  });

  it('reads back every time that JavaScript writes', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
        (date) => {
          expect(parseTimestamp(date.toISOString(), 'iso8601')).toBe(date.getTime());
        },
      ),
    );
  });

  it('never ends where the text after it could make it longer, so the signed text has one reading', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }),
        fc.string(),
        (date, rest) => {
          expect(parseTimestamp(`${date.toISOString()}:${rest}`, 'iso8601')).toBeNull();
        },
      ),
    );
  });
});
