import { lookup as lookUpName, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { isPublicAddress } from './ip-range.ts';

/** The upstream's name leads to an address the hub must not connect to for it. */
export class PrivateAddressError extends Error {
  override readonly name = 'PrivateAddressError';
  readonly code = 'ERR_PRIVATE_ADDRESS';
}

export type LookUp = (
  host: string,
  options: { all: true; family?: number },
  done: (error: Error | null, addresses: LookupAddress[]) => void,
) => void;

const familyOf = (family: number | string | undefined): { family?: number } =>
  family === 4 || family === 'IPv4' ? { family: 4 } : family === 6 || family === 'IPv6' ? { family: 6 } : {};

/** Resolves and judges in one step: the connection goes to an address judged here, never to a second answer. */
const guardedLookup =
  (lookUp: LookUp): LookupFunction =>
  (host, options, done) =>
    lookUp(host, { ...familyOf(options.family), all: true }, (error, addresses) => {
      const first = addresses?.[0];
      if (error !== null || first === undefined) return done(error ?? new Error(`${host} has no address`), []);
      const privateOne = addresses.find(({ address }) => !isPublicAddress(address));
      if (privateOne !== undefined)
        return done(new PrivateAddressError(`${host} leads to ${privateOne.address}, which is not public`), []);
      return options.all === true ? done(null, addresses) : done(null, first.address, first.family);
    });

type Options = { allowPrivateAddresses: boolean; connectTimeoutMs: number; lookUp?: LookUp };

/** Makes connections for undici that end at public addresses only, unless the operator allowed others. */
export const connectGuarded = (options: Options): buildConnector.connector => {
  const { allowPrivateAddresses, connectTimeoutMs, lookUp = lookUpName } = options;
  const guard = allowPrivateAddresses ? {} : { lookup: guardedLookup(lookUp) };
  const connect = buildConnector({ timeout: connectTimeoutMs, allowH2: false, ...guard });
  return (target, done) => {
    const host = target.hostname.replaceAll(/^\[|\]$/g, '');
    if (!allowPrivateAddresses && isIP(host) !== 0 && !isPublicAddress(host))
      return done(new PrivateAddressError(`${host} is not a public address`), null);
    return connect(target, done);
  };
};
