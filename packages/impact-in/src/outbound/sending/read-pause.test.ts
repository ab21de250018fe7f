import { describe, expect, test } from 'vitest';
import { partnerApis } from '../partner-apis.ts';
import { readPauseMs } from './read-pause.ts';

const nowMs = Date.UTC(2026, 0, 1);
const pause = (status: number, headers: Record<string, string>, api: 'goodera' | 'benevity' = 'benevity') =>
  readPauseMs(partnerApis[api], { status, headers }, nowMs);

describe('the pause a partner asks for', () => {
  test.each([
    [429, '7', 7_000],
    [503, '0', 0],
    [429, 'Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    [429, 'Wed, 31 Dec 2025 00:00:00 GMT', 0],
    [429, '999999999', 3_600_000],
    [429, '-1', null],
    [429, '1.5', null],
    [429, 'soon', null],
    [200, '7', null],
    [500, '7', null],
  ])('with status %i and Retry-After %s is %s ms', (status, text, expected) =>
    expect(pause(status, { 'retry-after': text })).toBe(expected),
  );

  test('is until the reset of its limit when that is used up', () => {
    const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '12' };
    expect(pause(200, headers, 'goodera')).toBe(12_000);
    expect(pause(200, { ...headers, 'x-ratelimit-remaining': '1' }, 'goodera')).toBeNull();
    expect(pause(200, headers)).toBeNull();
    const clock = String(nowMs / 1_000 + 20);
    expect(pause(200, { ...headers, 'x-ratelimit-reset': clock }, 'goodera')).toBe(20_000);
    expect(pause(429, { ...headers, 'retry-after': '30' }, 'goodera')).toBe(30_000);
  });
});
