import { afterEach, describe, expect, test } from 'vitest';
import { addressBlock } from './address-block.ts';
import { createRejectedRecorder, type rejectedLimits, type RejectedRecorder } from './record-rejected.ts';

let recorder: RejectedRecorder;
let nowMs = 0;
let dropped = 0;
const open = (limits: Partial<typeof rejectedLimits> = {}) => {
  nowMs = 0;
  dropped = 0;
  recorder = createRejectedRecorder({
    store: async () => undefined,
    nowMs: () => nowMs,
    isBusy: () => false,
    onDropped: (count) => (dropped += count),
    limits,
  });
};
afterEach(() => recorder.stop());

/** How many of the requests are admitted; one of each address unless told otherwise. */
const admitted = (addresses: readonly string[], endpointId = 'endpoint', bytes = 1_000): number =>
  addresses.filter((ip) => recorder.admits(endpointId, ip, bytes)).length;
const many = (count: number, ip: (n: number) => string): string[] => Array.from({ length: count }, (_, n) => ip(n));

describe('what is kept of refused requests', () => {
  test.each([
    ['the addresses of one IPv6 /64', (n: number) => `2001:db8:1:2:${n.toString(16)}::1`],
    ['the addresses of one IPv4 /24', (n: number) => `192.0.2.${n}`],
    ['the same, wrapped in IPv6', (n: number) => `::ffff:192.0.2.${n}`],
  ])('%s count as one sender', (_, ip) => {
    open();
    expect(admitted(many(200, ip))).toBe(20);
    expect(dropped).toBe(180);
    nowMs += 30_000;
    expect(admitted(many(200, ip))).toBe(3);
  });

  test('however many addresses send, an endpoint has its bytes per hour and leaves the rest to others', () => {
    open({ bytesPerHourOfEndpoint: 50_000, bytesPerHour: 120_000 });
    const everywhere = many(10_000, (n) => `10.${n >> 8}.${n & 255}.1`);
    expect(admitted(everywhere, 'one')).toBe(50);
    expect(admitted(everywhere, 'two')).toBe(50);
    expect(admitted(everywhere, 'three')).toBe(20);
    expect(admitted(everywhere, 'four')).toBe(0);
    nowMs += 1_800_000;
    expect(admitted(everywhere, 'one')).toBe(25);
  });

  test('what the budget refuses costs the sender none of its share', () => {
    open({ bytesPerHourOfEndpoint: 500 });
    expect(admitted(many(30, () => '192.0.2.1'))).toBe(0);
    expect(admitted(['192.0.2.1'], 'endpoint', 400)).toBe(1);
  });
});

test.each([
  ['192.0.2.7', '192.0.2'],
  ['::ffff:192.0.2.7', '192.0.2'],
  ['::FFFF:c000:0207', '192.0.2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['2001:0db8:0:0:ffff::', '2001:db8:0:0'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['1::', '1:0:0:0'],
  ['::1', '0:0:0:0'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0'],
])('the block of %s is %s', (ip, block) => {
  expect(addressBlock(ip)).toBe(block);
});
