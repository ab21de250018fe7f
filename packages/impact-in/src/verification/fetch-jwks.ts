import { connectGuarded, traceHeaders, type LookUp } from '@impact-hub/core';
import { Agent, request } from 'undici';

export type JwksFetcher = { fetch(url: string): Promise<unknown>; stop(): Promise<void> };

/** All of it has to fit between a webhook's arrival and the sender's patience: 5 s, of which a commit may take 3. */
const totalTimeoutMs = 2_000;
const connectTimeoutMs = 1_000;
/** Fifty RSA keys of 4,096 bits with certificates. */
const maxBytes = 262_144;

/** Reads JWK sets of addresses that companies chose: public addresses only, no redirects, bounded in time and size. */
export const createJwksFetcher = (options: { allowPrivateAddresses: boolean; lookUp?: LookUp }): JwksFetcher => {
  const dispatcher = new Agent({
    connect: connectGuarded({ ...options, connectTimeoutMs }),
    headersTimeout: totalTimeoutMs,
    bodyTimeout: totalTimeoutMs,
    maxResponseSize: maxBytes,
    maxHeaderSize: 16_384,
    connections: 2,
  });
  return {
    fetch: async (url) => {
      const { statusCode, body } = await request(url, {
        dispatcher,
        headers: { ...traceHeaders(), accept: 'application/jwk-set+json, application/json' },
        signal: AbortSignal.timeout(totalTimeoutMs),
      });
      if (statusCode === 200) return body.json();
      await body.dump({ limit: 16_384 });
      throw new Error(`the address of the keys answered ${statusCode}`);
    },
    stop: () => dispatcher.destroy(),
  };
};
