import { apiKeyInText, holdsApiKey, isIpRange, pageQuery } from '@impact-hub/core';
import { z } from 'zod';
import { secretKinds } from '../tables.ts';
import { families, partnerNames, schemeNames } from '../verification/profile.ts';
import { schemeFields } from './scheme-settings.ts';

export const partnerName = z.enum(partnerNames, { error: `must be one of ${partnerNames.join(', ')}` });

const plainText = (max: number) =>
  z
    .string()
    .trim()
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not contain control characters')
    .min(1, 'must not be empty')
    .max(max, `must be at most ${max} characters`)
    .refine((text) => !holdsApiKey(text), apiKeyInText);

export const createEndpointBody = z.strictObject({
  partner: partnerName,
  name: plainText(100).describe('For people.'),
  scheme: z
    .enum(schemeNames, { error: `must be one of ${schemeNames.join(', ')}` })
    .optional()
    .describe("How requests are authenticated; default is the partner's own."),
  hint: plainText(200)
    .optional()
    .describe(
      'The account the partner names in its payloads (organization_id, projectId); needed for the address without an endpoint id.',
    ),
  toleranceSeconds: z
    .int()
    .min(30)
    .max(900)
    .default(300)
    .describe('Accepted distance of the signed timestamp from now, in both directions.'),
  bodyLimitBytes: z.int().min(1_024).max(1_048_576).default(262_144),
  allowedNetworks: z
    .array(
      z.string().refine(isIpRange, 'must be an IP address or a network in CIDR notation, written by its first address'),
    )
    .min(1)
    .max(100)
    .optional()
    .describe('Networks that may send; anyone when left out.'),
  expectedEverySeconds: z
    .int()
    .min(60)
    .max(2_592_000)
    .optional()
    .describe(
      'How often the partner sends at least; when nothing new has come for a quarter longer than that, and at least 30 seconds longer, the endpoint is said to be silent. Nobody waits for it when left out.',
    ),
  ...schemeFields,
});
export type CreateEndpointInput = z.input<typeof createEndpointBody>;

export const endpointView = z.object({
  id: z.uuid(),
  partner: partnerName,
  name: z.string(),
  scheme: z.string(),
  verification: z.enum(families).nullable().describe('How requests are authenticated: the one family of the scheme.'),
  weak: z.boolean().describe('The signature, if there is one, does not protect against replay.'),
  profile: z.record(z.string(), z.unknown()).optional().describe('How custom-hmac requests are signed.'),
  jwt: z
    .object({
      issuer: z.string(),
      audience: z.string(),
      jwksUrl: z.string().optional(),
      jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }).optional(),
      thumbprints: z.array(z.string()).optional(),
    })
    .optional()
    .describe('Whose tokens are believed.'),
  username: z.string().optional().describe('Of HTTP Basic.'),
  secretHeader: z.string().optional().describe('The header with the secret, where nothing is signed.'),
  state: z.enum(['active', 'paused']),
  hint: z.string().nullable(),
  toleranceSeconds: z.int(),
  bodyLimitBytes: z.int(),
  allowedNetworks: z.array(z.string()).nullable(),
  expectedEverySeconds: z.int().nullable(),
  lastReceivedAt: z
    .date()
    .nullable()
    .describe('When something new and authentic last came, some seconds late. Repeated events and pings do not count.'),
  silentSince: z.date().nullable().describe('When the partner was last heard, while it is silent for too long.'),
  url: z.string().describe('Where the partner sends its webhooks.'),
  tokenUrl: z.string().optional().describe('Where the partner gets access tokens (OAuth schemes).'),
  clientId: z.string().optional(),
  createdAt: z.date(),
  updatedAt: z.date(),
  lastMatchedSecretId: z.uuid().nullable().describe('The secret that last proved who sent a request.'),
  secrets: z.array(
    z.object({
      id: z.uuid(),
      kind: z.enum(secretKinds),
      generation: z.int().describe('Secrets made together share it: they are accepted and end together.'),
      state: z.enum(['active', 'retired']).describe('Whether it is accepted.'),
      notAfter: z.date().nullable().describe('When it ends or ended; null: not until it is rotated.'),
      lastMatchedAt: z.date().nullable().describe('When a request last proved to be signed with it.'),
      createdAt: z.date(),
    }),
  ),
});
export type EndpointView = z.output<typeof endpointView>;

export const createdEndpointView = endpointView.extend({
  secret: z.string().optional().describe('The signing secret; shown this once.'),
  clientSecret: z.string().optional().describe('The OAuth client secret; shown this once.'),
  password: z.string().optional().describe('The password for HTTP Basic; shown this once.'),
  urlToken: z.string().optional().describe('Belongs to the address as ?token=…; shown this once.'),
  headerToken: z.string().optional().describe('The value of the secret header; shown this once.'),
});

export const endpointPage = z.object({ data: z.array(endpointView), nextCursor: z.string().nullable() });
export const endpointListQuery = z.strictObject({
  ...pageQuery,
  partner: partnerName.optional(),
  silent: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .transform((text) => text === 'true')
    .optional()
    .describe('Only those whose partner is silent for too long, or only the others.'),
});
export const endpointParams = z.strictObject({ id: z.uuid('must be the id of an endpoint') });
