import { expect, test } from 'vitest';
import { payloadAgeFault } from './payload-age.ts';
import { profiles } from './profile.ts';
import { nowMs } from './test-requests.ts';

const faultOf = (body: string | Buffer) => payloadAgeFault(profiles['benevity-legacy'], Buffer.from(body), nowMs);
const withTime = (json: string): string => `{"timestamp":${json}}`;
const iso = new Date(nowMs).toISOString();

test.each([
  ['a text', `"${iso}"`],
  ['seconds', String(nowMs / 1_000)],
  ['milliseconds', String(nowMs)],
  ['seconds in a text', `"${nowMs / 1_000}"`],
  ['milliseconds in a text', `"${nowMs}"`],
])('the time of a payload can be %s', (_form, json) => {
  expect(faultOf(withTime(json))).toBeNull();
  expect(faultOf(Buffer.from(`\uFEFF${withTime(json)}`))).toBeNull();
});

test.each(['1e400', '-1', 'null', '{}', `[${nowMs}]`, 'true', '""', '" "', '"1e12"', '"-1"', `"${iso.slice(0, -1)}"`])(
  '%s tells no time',
  (json) => expect(faultOf(withTime(json))).toBe('missing_payload_timestamp'),
);

test('only the payload itself tells the time, and what is no payload tells none', () => {
  for (const body of [
    `{"__proto__":${withTime(`"${iso}"`)}}`,
    `[${withTime(`"${iso}"`)}]`,
    '',
    'null',
    '[['.repeat(9_999),
  ])
    expect(faultOf(body)).toBe('missing_payload_timestamp');
});

test('bytes that are no UTF-8 are no reason to refuse who is authentic', () => {
  expect(faultOf(Buffer.from(`{"name":"\u00e9","timestamp":"${iso}"}`, 'latin1'))).toBeNull();
});
