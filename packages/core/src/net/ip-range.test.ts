import { BlockList, isIPv4 } from 'node:net';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import { compileIpRanges, coversIpRange, isIpRange, isPublicAddress, limitKeyOfIp } from './ip-range.ts';

const octet = fc.integer({ min: 0, max: 255 });
const ipv4 = fc.array(octet, { minLength: 4, maxLength: 4 }).map((octets) => octets.join('.'));
const ipv6 = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  .chain((parts) => {
    const plain = parts.map((part) => part.toString(16)).join(':');
    return fc.constantFrom(plain, new ipaddr.IPv6(parts).toString(), new ipaddr.IPv6(parts).toRFC5952String());
  });
const mapped = ipv4.map((text) => `::ffff:${text}`);
const address = fc.oneof(ipv4, ipv6, mapped);

/** The first address of the network, computed bit by bit on the text of zeros and ones. */
const networkOf = (text: string, bits: number): string => {
  const bytes = ipaddr.parse(text).toByteArray();
  const ones = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const kept = ones.slice(0, bits).padEnd(ones.length, '0');
  return ipaddr
    .fromByteArray(bytes.map((_, index) => Number.parseInt(kept.slice(index * 8, index * 8 + 8), 2)))
    .toString();
};
const range = fc.oneof(
  fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map(([text, bits]) => ({ network: networkOf(text, bits), bits })),
  fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })).map(([text, bits]) => ({ network: networkOf(text, bits), bits })),
);
/** An address that shares the first bits with the network, so that near misses are as common as hits. */
const near = (network: string) =>
  fc.tuple(fc.integer({ min: 0, max: 127 }), fc.boolean()).map(([bit, flips]) => {
    const bytes = ipaddr.parse(network).toByteArray();
    const index = Math.floor(bit / 8) % bytes.length;
    if (flips) bytes[index] = (bytes[index] ?? 0) ^ (1 << (7 - (bit % 8)));
    return ipaddr.fromByteArray(bytes).toString();
  });

const words = (text: string): string[] => text.trim().split(/\s+/);
const familyOf = (text: string) => (isIPv4(text) ? ('ipv4' as const) : ('ipv6' as const));
const plain = (text: string) => /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1] ?? text;
const inBlockList = (ranges: readonly { network: string; bits: number }[], ip: string): boolean => {
  const list = new BlockList();
  for (const { network, bits } of ranges) list.addSubnet(network, bits, familyOf(network));
  return list.check(plain(ip), familyOf(plain(ip)));
};
// Node's list lets an IPv6 range hold IPv4 in its mapped form; here IPv4 belongs to ranges of IPv4 only.
const mixesFamilies = ({ network, bits }: { network: string; bits: number }) =>
  !isIPv4(network) && inBlockList([{ network, bits }], '::ffff:0:0');

describe('a range', () => {
  it.each([
    '192.0.2.0/24',
    '192.0.2.1',
    '2001:db8::/32',
    '::1',
    '0.0.0.0/0',
    '::/0',
    '::ffff:192.0.2.0/120',
    '1::1.2.3.4',
  ])('may be written %s', (text) => expect(isIpRange(text)).toBe(true));
  it.each([
    ...words(`
    host 192.0.2 192.0.2.256 010.0.0.1 0x7f.1 0x7f.0.0.1 127.1 2130706433 ::ffff:010.0.0.1 ::ffff:0x7f.0.0.1
    fe80::1%eth0 fe80::%1/64 [::1] 1::2::3 12345:: 192.0.2.1/33 2001:db8::/129 1.2.3.4/ /24 1.2.3.0/+24
    1.2.3.0/024 1.2.3.0/24/8 1.2.3.0/24.0 1.2.3.0/-1 1.2.3.0/255.255.255.0 １.2.3.4 192.0.2.7/24
    2001:db8::1/64 128.0.0.0/0 ::ffff:192.0.2.0/95 ::ffff:192.0.2.1/120`),
    '',
    '1.2.3.0/ 24',
    ' 1.2.3.4',
    '1.2.3.4\n',
    '1.2.3.4\0',
  ])('may not be written %j', (text) => expect(isIpRange(text)).toBe(false));

  it('is written by its first address', () =>
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), fc.integer({ min: 0, max: 128 }), (ip, length) => {
        const bits = isIPv4(ip) ? length % 33 : length;
        fc.pre(!inBlockList([{ network: '::ffff:0:0', bits: 96 }], ip));
        expect(isIpRange(`${networkOf(ip, bits)}/${bits}`)).toBe(true);
        expect(isIpRange(`${ip}/${bits}`)).toBe(networkOf(ip, bits) === ipaddr.parse(ip).toString());
      }),
    ));
});

describe('compiled ranges', () => {
  it('hold exactly the addresses that an independent list holds', () =>
    fc.assert(
      fc.property(
        fc
          .array(
            range.filter((one) => !mixesFamilies(one)),
            { minLength: 1, maxLength: 4 },
          )
          .chain((ranges) => fc.tuple(fc.constant(ranges), fc.oneof(address, near(ranges[0]?.network ?? '::')))),
        ([ranges, ip]) => {
          const holds = compileIpRanges(ranges.map(({ network, bits }) => `${network}/${bits}`));
          expect(holds(ip)).toBe(inBlockList(ranges, ip));
        },
      ),
      { numRuns: 1_000 },
    ));

  it('see IPv4 through IPv6 sockets, in either notation, and never let a range of IPv6 hold IPv4', () => {
    const holds = compileIpRanges(['192.0.2.0/24', '::/0']);
    expect(holds('::ffff:192.0.2.200')).toBe(true);
    expect(holds('::ffff:c000:2c8')).toBe(true);
    expect(holds('::ffff:198.51.100.1')).toBe(false);
    expect(holds('198.51.100.1')).toBe(false);
    expect(compileIpRanges(['::ffff:192.0.2.0/120'])('192.0.2.9')).toBe(true);
  });

  it('hold nothing for what is no address or no range', () => {
    expect(compileIpRanges(['0.0.0.0/0', '::/0'])('not an address')).toBe(false);
    expect(compileIpRanges(['0.0.0.0/0', '::/0'])('fe80::1%eth0')).toBe(false);
    expect(compileIpRanges(['0.0.0.0/0'])('010.0.0.1')).toBe(false);
    expect(compileIpRanges([])('192.0.2.1')).toBe(false);
    expect(compileIpRanges(['nonsense', '10.0.0.0/33'])('10.0.0.1')).toBe(false);
  });

  it('read a stored range with host bits as its network', () =>
    expect(compileIpRanges(['192.0.2.7/24'])('192.0.2.200')).toBe(true));
});

describe('a range inside another', () => {
  it('has all its addresses there', () =>
    fc.assert(
      fc.property(range, range, (outer, inner) => {
        const texts = [outer, inner].map(({ network, bits }) => `${network}/${bits}`) as [string, string];
        fc.pre(!mixesFamilies(outer) && !mixesFamilies(inner));
        const expected =
          outer.bits <= inner.bits &&
          familyOf(outer.network) === familyOf(inner.network) &&
          networkOf(inner.network, outer.bits) === outer.network;
        expect(coversIpRange([texts[0]], texts[1])).toBe(expected);
        expect(coversIpRange(['10.0.0.0/8', texts[1]], texts[1])).toBe(true);
      }),
    ));

  it('is never one of the other family', () => expect(coversIpRange(['::/0'], '192.0.2.1')).toBe(false));
});

describe('one caller in limits', () => {
  it('is an IPv4 address, or the /64 of an IPv6 host', () => {
    expect(limitKeyOfIp('2001:db8::1')).toBe(limitKeyOfIp('2001:db8::ffff:2'));
    expect(limitKeyOfIp('2001:db8:0:1::1')).not.toBe(limitKeyOfIp('2001:db8::1'));
    expect(limitKeyOfIp('::ffff:192.0.2.1')).toBe('192.0.2.1');
  });

  it('is everything that is no address', () => expect(limitKeyOfIp('x'.repeat(9_000))).toBe(limitKeyOfIp('::1%eth0')));
});

describe('a public address', () => {
  it.each(['1.1.1.1', '8.8.8.8', '::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '2606:4700:4700::1111', '2a00:1450:4001::1'])(
    'is %s',
    (ip) => expect(isPublicAddress(ip)).toBe(true),
  );
  it.each([
    ...words(`
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1
    172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1
    239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 ::7f00:1 ::127.0.0.1 fe80::1 fe80::1%eth0 fec0::1 fc00::1
    fd00:ec2::254 ff02::1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1
    64:ff9b::a9fe:a9fe 64:ff9b:1::8.8.8.8 2002:7f00:1:: 2002:808:808::1 2001:0:808:808::1 2001:db8::1
    3fff::1 100::1 5f00::1 4000::1 host 0x7f.1 2130706433 010.0.0.1`),
    '',
  ])('is not %s', (ip) => expect(isPublicAddress(ip)).toBe(false));

  it('is never one that another library knows to be special', () =>
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), (ip) => {
        // `process` judges a mapped address by its IPv4 address, as the hub does.
        const known = ipaddr.process(ip).range();
        if (known !== 'unicast' && known !== 'as112' && known !== 'amt' && known !== 'rfc6052')
          expect(isPublicAddress(ip)).toBe(false);
        if (isIPv4(ip)) {
          expect(isPublicAddress(ip)).toBe(['unicast', 'as112', 'amt'].includes(known));
          expect(isPublicAddress(`::ffff:${ip}`)).toBe(isPublicAddress(ip));
          expect(isPublicAddress(`64:ff9b::${ip}`)).toBe(isPublicAddress(ip));
        }
      }),
      { numRuns: 2_000, examples: [['0:0:0:0:0:ffff:100:0'], ['0:0:0:0:0:ffff:a00:1']] },
    ));
});
