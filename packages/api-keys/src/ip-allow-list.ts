import ipaddr from 'ipaddr.js';

type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** An address without a prefix length stands for itself. IPv4 written as IPv6 (`::ffff:192.0.2.1`) counts as IPv4. */
const parseRange = (text: string): Range | undefined => {
  try {
    if (!text.includes('/')) {
      if (!isPlainAddress(text)) return undefined;
      const address = ipaddr.process(text);
      return [address, address.kind() === 'ipv4' ? 32 : 128];
    }
    const [address, bits] = ipaddr.parseCIDR(text);
    if (!isPlainAddress(text.slice(0, text.indexOf('/')))) return undefined;
    if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress())
      return bits >= 96 ? [address.toIPv4Address(), bits - 96] : undefined;
    return [address, bits];
  } catch {
    return undefined;
  }
};

/** Four decimal parts or IPv6: no octal, hexadecimal or shortened IPv4, which tools read differently, and no zones. */
const isPlainAddress = (text: string): boolean =>
  ipaddr.IPv4.isValidFourPartDecimal(text) || (text.includes(':') && !text.includes('%') && ipaddr.IPv6.isValid(text));

/** Whether a text is an IPv4 or IPv6 address or CIDR range. */
export const isIpRange = (text: string): boolean => parseRange(text) !== undefined;

/**
 * Compiles an allow list. An empty list allows every address.
 * @returns a function that says whether an address is allowed, or null when all are
 */
export const compileIpAllowList = (ranges: readonly string[]): ((ip: string) => boolean) | null => {
  if (ranges.length === 0) return null;
  const compiled = ranges.map(parseRange).filter((range) => range !== undefined);
  return (ip) => {
    if (!ipaddr.isValid(ip)) return false;
    const address = ipaddr.process(ip);
    return compiled.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
  };
};

/** Whether one of the ranges holds all addresses of another. False for texts that are no ranges. */
export const coversIpRange = (ranges: readonly string[], inner: string): boolean => {
  const parsed = parseRange(inner);
  if (parsed === undefined) return false;
  const [address, innerBits] = parsed;
  return ranges.some((range) => {
    const [network, bits] = parseRange(range) ?? [];
    if (network === undefined || bits === undefined || network.kind() !== address.kind()) return false;
    return bits <= innerBits && address.match(network, bits);
  });
};

/** Who counts as one caller in limits: the IPv4 address, or the /64 that an IPv6 host owns. */
export const limitKeyOfIp = (ip: string): string => {
  if (!ipaddr.isValid(ip)) return ip;
  const address = ipaddr.process(ip);
  return address instanceof ipaddr.IPv6 ? address.parts.slice(0, 4).join(':') : address.toString();
};
