import { isIP } from 'node:net';
import { isPublicAddress } from '@impact-hub/core';

/** A host without a dot, or under a name that never leads to the public internet, is one of this network. */
const isPrivateHost = (host: string): boolean => {
  // With a dot at its end, a name is the same name.
  const bare = host.replaceAll(/^\[|\]$/g, '').replace(/\.$/, '');
  if (isIP(bare) !== 0) return !isPublicAddress(bare);
  return !bare.includes('.') || /\.(?:localhost|local|internal|home\.arpa)$/i.test(bare);
};

/**
 * The address of a partner's API in the one form it is kept in, without a slash at the end; or what is wrong with it.
 * Where a name leads is judged when connecting.
 *
 * @param allowPrivate the operator lets companies name addresses of the private network, and plain HTTP
 */
export const readBaseUrl = (text: string, allowPrivate: boolean): { url: string } | { fault: string } => {
  if (!URL.canParse(text)) return { fault: 'Must be a URL such as https://api.example.org.' };
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:'))
    return { fault: 'Must start with https://.' };
  if (url.username !== '' || url.password !== '') return { fault: 'Must not contain credentials.' };
  if (url.search !== '' || url.hash !== '') return { fault: 'Must not contain a query or fragment.' };
  if (url.port === '0' || url.hostname.replace(/\.$/, '').split('.').includes(''))
    return { fault: 'Must name a host, and a port that can be connected to.' };
  if (!allowPrivate && isPrivateHost(url.hostname)) return { fault: 'Must lead to a public address.' };
  return { url: `${url.origin}${url.pathname.replace(/\/+$/, '')}` };
};
