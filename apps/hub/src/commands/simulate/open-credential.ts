import { createPrivateKey, randomUUID, type KeyObject } from 'node:crypto';
import { fetchAccessToken, mintToken } from '@impact-hub/impact-in';
import { readGiven } from '../endpoints/read-given.ts';
import { CommandError, UsageError } from '../hub-api/command-errors.ts';
import type { Receiver } from './find-receiver.ts';
import type { SimulateOptions } from './simulate-options.ts';

/** What the next request is signed with. */
export type NextCredential = () => string;

const need = (value: string | undefined, option: string, scheme: string): string => {
  if (value === undefined || value === '') throw new UsageError(`${scheme} needs ${option}.`);
  return value;
};

/** What to do when the secret of an installation's own endpoint is refused. @param file credentials.json */
export const secretRefused = (file: string): string =>
  `If its secret was changed, the one in ${file} is no longer accepted; give the present one by --secret-file.`;

const tokenSeconds = 300;
const algorithmOf = (key: KeyObject): 'RS256' | 'ES256' => (key.asymmetricKeyType === 'ec' ? 'ES256' : 'RS256');

const readKey = async (file: string): Promise<KeyObject> => {
  const pem = await readGiven(file);
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new UsageError(`The file ${file} holds no private key in PEM.`, { cause });
  }
};

/** A fresh token for each request: one vouches for one body only. */
const openMint = async ({ scheme }: Receiver, options: SimulateOptions): Promise<NextCredential> => {
  const privateKey = await readKey(need(options.privateKeyFile, '--private-key-file', scheme));
  const keyId = need(options.keyId, '--key-id', scheme);
  const iss = need(options.issuer, '--issuer', scheme);
  const aud = need(options.audience, '--audience', scheme);
  return () => {
    const iat = Math.floor(Date.now() / 1_000);
    const claims = { iss, aud, jti: randomUUID(), iat, exp: iat + tokenSeconds };
    return mintToken({ algorithm: algorithmOf(privateKey), keyId, privateKey, claims });
  };
};

const openGrant = async (receiver: Receiver, options: SimulateOptions): Promise<NextCredential> => {
  const { scheme, url } = receiver;
  const clientId = need(receiver.clientId, '--client-id', scheme);
  const clientSecret = need(receiver.secret, '--secret-file', scheme);
  const tokenUrl = options.tokenUrl ?? new URL('/oauth/token', url).href;
  const token = await fetchAccessToken(tokenUrl, { clientId, clientSecret }).catch((cause: unknown) => {
    const why = receiver.keptIn === undefined ? '' : ` ${secretRefused(receiver.keptIn)}`;
    throw new CommandError(`There is no access token from ${tokenUrl}: ${(cause as Error).message}.${why}`, { cause });
  });
  return () => token;
};

/** What the partner proves itself with at this endpoint. @throws UsageError naming the option that is missing */
export const openCredential = async (receiver: Receiver, options: SimulateOptions): Promise<NextCredential> => {
  const { scheme, secret, profile } = receiver;
  if (scheme === 'workday-oauth') return openGrant(receiver, options);
  if (scheme === 'workday-jwt' || scheme === 'benevity-jwt') return openMint(receiver, options);
  if (scheme === 'custom-hmac' && profile === undefined) throw new UsageError(`${scheme} needs --profile-file.`);
  const given = need(secret, '--secret-file', scheme);
  return () => given;
};
