const groupsOf = (text: string): number[] =>
  text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));

/** A dotted end as two groups of hexadecimal digits (RFC 4291 §2.2). */
const withoutDots = (ip: string): string =>
  ip.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((group) => group.toString(16)).join(':'),
  );

/**
 * The network that one sender can be assumed to hold: an IPv6 /64, the least a customer is given (RFC 6177), or an IPv4
 * /24, the least that is routed. An IPv4 address may be wrapped in IPv6.
 *
 * @param ip as the server reports it
 */
export const addressBlock = (ip: string): string => {
  if (!ip.includes(':')) return ip.slice(0, ip.lastIndexOf('.'));
  const [head = '', tail = ''] = withoutDots(ip.split('%', 1)[0] ?? '').split('::');
  const [first, last] = [groupsOf(head), groupsOf(tail)];
  const groups = [...first, ...Array<number>(Math.max(0, 8 - first.length - last.length)).fill(0), ...last];
  const [high = 0, low = 0] = groups.slice(6);
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  if (isMapped) return `${high >> 8}.${high & 255}.${low >> 8}`;
  return groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':');
};
