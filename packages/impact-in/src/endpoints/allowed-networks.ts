import { BlockList, isIP } from 'node:net';

const parse = (text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | null => {
  const [address = '', prefixText, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return null;
  const longest = version === 4 ? 32 : 128;
  if (prefixText !== undefined && !/^\d{1,3}$/.test(prefixText)) return null;
  const prefix = prefixText === undefined ? longest : Number(prefixText);
  return prefix <= longest ? { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' } : null;
};

/** Whether the text is an address or a network in CIDR notation. */
export const isNetwork = (text: string): boolean => parse(text) !== null;

/** The list of networks ready for looking up; null when anyone may send. Texts that are no network match nothing. */
export const networkList = (networks: readonly string[] | null): BlockList | null => {
  if (networks === null) return null;
  const list = new BlockList();
  for (const network of networks.map(parse))
    if (network !== null) list.addSubnet(network.address, network.prefix, network.family);
  return list;
};

const mappedIpv4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** @param ip as the server reports it; an IPv4 address may be wrapped in IPv6 */
export const isAllowed = (networks: BlockList | null, ip: string): boolean => {
  if (networks === null) return true;
  const plain = mappedIpv4.exec(ip)?.[1] ?? ip;
  const version = isIP(plain);
  return version !== 0 && networks.check(plain, version === 4 ? 'ipv4' : 'ipv6');
};
