import { z } from 'zod';
import type { PartnerApi } from '../partner-api.ts';

/** Goes into a header as it is. */
const headerSafe = z
  .string()
  .min(1, 'Must not be empty.')
  .max(1_000, 'Must have at most 1000 characters.')
  .regex(/^[\x21-\x7e]*$/, 'Must be visible ASCII characters without spaces.');
const freeText = z
  .string()
  .min(1, 'Must not be empty.')
  .max(1_000, 'Must have at most 1000 characters.')
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), 'Must not contain control characters.');

const apiKey = z.strictObject({ apiKey: headerSafe });
const signedApiKey = z.strictObject({ apiKey: headerSafe, signingSecret: freeText });
const oauth = z.strictObject({ clientId: freeText, clientSecret: freeText });
const wsse = z.strictObject({ username: freeText, password: freeText });

/** What the routes take; which of them an API needs is checked by `credentialsOf`. */
export const anyCredentials = z
  .union([signedApiKey, apiKey, oauth, wsse], {
    error: 'Give what the API needs: apiKey (and signingSecret), clientId and clientSecret, or username and password.',
  })
  .describe('Kept encrypted and never shown again.');

export type Credentials = {
  apiKey?: string;
  signingSecret?: string;
  clientId?: string;
  clientSecret?: string;
  username?: string;
  password?: string;
};

const schemaOf = ({ auth }: Pick<PartnerApi, 'auth'>): z.ZodType<Credentials> => {
  if (auth.kind === 'oauth') return oauth;
  if (auth.kind === 'wsse') return wsse;
  return auth.signatureHeader === undefined ? apiKey : signedApiKey;
};

/** The names of the credentials that an API needs. */
export const credentialNames = (api: Pick<PartnerApi, 'auth'>): string[] => {
  const { auth } = api;
  if (auth.kind === 'oauth') return ['clientId', 'clientSecret'];
  if (auth.kind === 'wsse') return ['username', 'password'];
  return auth.signatureHeader === undefined ? ['apiKey'] : ['apiKey', 'signingSecret'];
};

/** The credentials if they are those the API needs, no more and no less. */
export const credentialsOf = (api: Pick<PartnerApi, 'auth'>, given: unknown): Credentials | undefined => {
  const read = schemaOf(api).safeParse(given);
  return read.success ? read.data : undefined;
};

/** Purpose of the data key (packages/crypto). */
export const credentialsPurpose = 'impact_in.connection';

/** Binds the ciphertext to its row. */
export const credentialsContext = (connectionId: string): Record<string, string> => ({
  table: 'impact_in_connection',
  column: 'credentials',
  row: connectionId,
});
