import { z } from 'zod';
import { profileFaults } from './plan-verification.ts';
import { customScheme, partnerNames, type HmacProfile } from './profile.ts';

/** Headers with a meaning of their own: blanked in receipts, rewritten on the way, or deciding about the body. */
const reservedHeaders = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'x-api-key',
  'host',
  'connection',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'x-forwarded-for',
  'forwarded',
]);

const header = z
  .string()
  .max(64, 'must be at most 64 characters')
  .refine((name) => !reservedHeaders.has(name.toLowerCase()), 'is a header with a meaning of its own');
const printable = (max: number) =>
  z
    .string()
    .regex(/^[ -~]+$/, 'must be printable ASCII')
    .max(max);

const containers = ['stripe-list', 'prefixed', 'bare', 'standard-webhooks'] as const;
const timestampFormats = ['unix_s', 'unix_ms', 'iso8601', 'none'] as const;
const keyEncodings = ['utf8', 'hex', 'base64', 'whsec'] as const;

/** HMAC-SHA256 profiles of senders that the hub has no preset for; what the fields mean is said at `HmacProfile`. */
export const customProfileSchema = z
  .strictObject({
    signatureHeader: header.describe('The header that carries the signature.'),
    timestampHeader: header
      .optional()
      .describe('Left out when the timestamp is in the signature header or not signed.'),
    idHeader: header.optional().describe('The header with the event id, when it is signed.'),
    signedTemplate: printable(200)
      .default('{ts}.{body}')
      .describe('What is signed: {ts}, {id} and literal text, ending in {body}.'),
    container: z.enum(containers).describe('Shape of the signature header.'),
    prefix: printable(32).optional().describe('For prefixed, such as sha256=.'),
    prefixOptional: z.boolean().optional(),
    encoding: z.enum(['hex', 'base64']),
    timestampFormat: z.enum(timestampFormats).default('unix_s'),
    toleranceSeconds: z.int().min(30).max(900).optional().describe('Default is that of the endpoint.'),
    keyEncoding: z.enum(keyEncodings).default('utf8').describe("How the secret's text becomes key bytes."),
    payloadTimestampField: printable(100)
      .optional()
      .describe('Without a signed timestamp: the field of the payload with the time of the event; default timestamp.'),
  })
  .superRefine((settings, context) => {
    for (const { field, message } of profileFaults(hmacProfileOf(settings)))
      context.addIssue({ code: 'custom', path: [field], message });
    if (settings.timestampFormat !== 'none' && settings.payloadTimestampField !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['payloadTimestampField'],
        message: 'is only for profiles without a signed timestamp',
      });
  });

export type CustomProfile = z.output<typeof customProfileSchema>;
export type CustomProfileInput = z.input<typeof customProfileSchema>;

const defaultToleranceSeconds = 300;

/** The profile that an endpoint's settings describe. It is weak when no timestamp is signed. */
export const hmacProfileOf = (settings: CustomProfile): HmacProfile => {
  const { toleranceSeconds = defaultToleranceSeconds, payloadTimestampField, ...fields } = settings;
  const weak = settings.timestampFormat === 'none';
  return {
    ...(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as typeof fields),
    family: 'hmac',
    scheme: customScheme,
    title: 'HMAC-SHA256 by a profile of the endpoint',
    partners: partnerNames,
    signedTemplate: settings.signedTemplate as HmacProfile['signedTemplate'],
    toleranceSeconds,
    ...(weak ? { weak, payloadTimestampField: payloadTimestampField ?? 'timestamp' } : {}),
  } as HmacProfile;
};
