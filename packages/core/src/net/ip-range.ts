import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = { network: Address; bits: number };

const prefixLength = /^(?:0|[1-9]\d{0,2})$/;

/**
 * Four decimal parts or IPv6: no octal, hexadecimal or shortened IPv4, which tools read differently, and no zones, which
 * mean something on one machine only.
 */
const parseAddress = (text: string): Address | undefined =>
  isIP(text) === 0 || text.includes('%') ? undefined : ipaddr.parse(text);

const isMapped = (address: Address): address is ipaddr.IPv6 =>
  address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress();

/** IPv4 written as IPv6 (`::ffff:192.0.2.1`) is IPv4. */
const unmapped = (address: Address): Address => (isMapped(address) ? address.toIPv4Address() : address);

const parseRange = (text: string): Range | undefined => {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const longest = address.kind() === 'ipv4' ? 32 : 128;
  const prefix = slash < 0 ? String(longest) : text.slice(slash + 1);
  if (!prefixLength.test(prefix) || Number(prefix) > longest) return undefined;
  if (!isMapped(address)) return { network: address, bits: Number(prefix) };
  // Shorter, it would hold addresses of both families.
  return Number(prefix) < 96 ? undefined : { network: address.toIPv4Address(), bits: Number(prefix) - 96 };
};

const hasHostBits = ({ network, bits }: Range): boolean =>
  network.toByteArray().some((byte, index) => (byte & (0xff >> Math.min(8, Math.max(0, bits - index * 8)))) !== 0);

const holds = ({ network, bits }: Range, address: Address): boolean =>
  network.kind() === address.kind() && address.match(network, bits);

/**
 * Whether a text is an IPv4 or IPv6 address or CIDR range. A range has to be written by its first address: nobody can
 * tell whether `192.0.2.7/24` was to mean that address or its network.
 */
export const isIpRange = (text: string): boolean => {
  const range = parseRange(text);
  return range !== undefined && !hasHostBits(range);
};

/**
 * Compiles ranges to a function that says whether an address lies in one of them. Texts that are no ranges hold no
 * address, and texts that are no address lie in no range. A range with host bits, which only older data can hold, is
 * the network it lies in.
 */
export const compileIpRanges = (ranges: readonly string[]): ((ip: string) => boolean) => {
  const compiled = ranges.map(parseRange).filter((range) => range !== undefined);
  return (ip) => {
    const parsed = parseAddress(ip);
    if (parsed === undefined) return false;
    const address = unmapped(parsed);
    return compiled.some((range) => holds(range, address));
  };
};

/** Whether one of the ranges holds all addresses of another. False for texts that are no ranges. */
export const coversIpRange = (ranges: readonly string[], inner: string): boolean => {
  const parsed = parseRange(inner);
  if (parsed === undefined) return false;
  return ranges.some((text) => {
    const outer = parseRange(text);
    return outer !== undefined && outer.bits <= parsed.bits && holds(outer, parsed.network);
  });
};

/**
 * Who counts as one caller in limits: the IPv4 address, or the /64 that an IPv6 host owns. Whatever is no address (a
 * trusted proxy may pass on anything) is one caller.
 */
export const limitKeyOfIp = (ip: string): string => {
  const parsed = parseAddress(ip);
  if (parsed === undefined) return 'no address';
  const address = unmapped(parsed);
  return address instanceof ipaddr.IPv6 ? `${address.parts.slice(0, 4).join(':')}::` : address.toString();
};

const isTranslated = compileIpRanges(['64:ff9b::/96']);

/** The IPv4 address inside one of NAT64's well-known prefix (RFC 6052). */
const translated = (ip: string): string | undefined =>
  isTranslated(ip) ? ipaddr.parse(ip).toByteArray().slice(12).join('.') : undefined;

/**
 * IANA's special-purpose registries (RFC 6890 and its updates, read 2026): everything not globally reachable, and, as
 * nothing is served from there, the 6to4 relays and the retired tunnels (6to4, Teredo), whose embedded address decides
 * where a packet ends.
 */
const specialPurpose = [
  '0.0.0.0/8', // this network, unspecified
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carrier-grade NAT
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, metadata services of clouds
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarking
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
  '2001::/23', // protocol assignments, Teredo, benchmarking, ORCHID
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4
  '3fff::/20', // documentation
] as const;

const isSpecialPurpose = compileIpRanges(specialPurpose);
/** All that has been given out of IPv6: loopback, unique local, link-local, site-local and multicast lie outside. */
const isGlobalUnicast = compileIpRanges(['2000::/3', '0.0.0.0/0']);

/**
 * Whether an address is one of the public internet, so that connecting to it cannot reach this machine, its network or
 * a cloud's metadata service. IPv4 inside IPv6 (mapped, NAT64) is judged by the IPv4 address. False for texts that are
 * no address.
 */
export const isPublicAddress = (ip: string): boolean => {
  const address = translated(ip) ?? ip;
  return isGlobalUnicast(address) && !isSpecialPurpose(address);
};

/**
 * The network an address belongs to, as coarse as providers hand them out: IPv4 /24, IPv6 /48 (RFC 6177), for instance
 * `192.0.2.0/24` or `2001:db8:1::/48`. Undefined for texts that are no address.
 */
export const networkOfIp = (ip: string): string | undefined => {
  const parsed = parseAddress(ip);
  if (parsed === undefined) return undefined;
  const address = unmapped(parsed);
  const [network, bits] =
    address instanceof ipaddr.IPv6
      ? [new ipaddr.IPv6([...address.parts.slice(0, 3), 0, 0, 0, 0, 0]), 48]
      : [new ipaddr.IPv4([...address.octets.slice(0, 3), 0]), 24];
  return `${network.toString()}/${bits}`;
};
