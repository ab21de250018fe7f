import { describe, expect, it } from 'vitest';
import { compileIpAllowList, isIpRange, limitKeyOfIp } from './ip-allow-list.ts';

describe('IP allow list', () => {
  it.each(['192.0.2.0/24', '192.0.2.1', '2001:db8::/32', '::1', '0.0.0.0/0', '::ffff:192.0.2.0/120'])(
    'accepts %s',
    (text) => expect(isIpRange(text)).toBe(true),
  );
  it.each([
    '',
    '192.0.2',
    '192.0.2.1/33',
    '010.0.0.1',
    '0x7f.1',
    '2001:db8::/129',
    'fe80::1%eth0',
    'host',
    '1.2.3.4/',
    '::ffff:192.0.2.0/24',
  ])('refuses %j', (text) => expect(isIpRange(text)).toBe(false));

  it('allows exactly the addresses in one of the ranges, IPv4 seen through IPv6 sockets included', () => {
    const allows = compileIpAllowList(['192.0.2.0/24', '2001:db8::/32', '198.51.100.7']);
    expect(allows?.('192.0.2.200')).toBe(true);
    expect(allows?.('::ffff:192.0.2.200')).toBe(true);
    expect(allows?.('2001:db8:1::5')).toBe(true);
    expect(allows?.('198.51.100.7')).toBe(true);
    expect(allows?.('198.51.100.8')).toBe(false);
    expect(allows?.('192.0.3.1')).toBe(false);
    expect(allows?.('2001:db9::1')).toBe(false);
    expect(allows?.('not an address')).toBe(false);
  });

  it('lets everybody in when it is empty', () => expect(compileIpAllowList([])).toBeNull());

  it('counts an IPv6 /64 as one caller', () => {
    expect(limitKeyOfIp('2001:db8::1')).toBe(limitKeyOfIp('2001:db8::ffff:2'));
    expect(limitKeyOfIp('2001:db8:0:1::1')).not.toBe(limitKeyOfIp('2001:db8::1'));
    expect(limitKeyOfIp('::ffff:192.0.2.1')).toBe('192.0.2.1');
  });
});
