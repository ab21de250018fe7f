import { isIP } from 'node:net';
import { breakerOptionsSchema, isPublicAddress } from '@impact-hub/core';
import { z } from 'zod';

const scopeName = z.string().regex(/^[a-z][a-z_-]*(:[a-z][a-z_-]*)?$/, 'must be a scope such as "reports:read"');
const scopeList = z.tuple([scopeName], scopeName);

const targetUrl = z.string().refine(
  (text) => {
    const url = URL.parse(text);
    return (
      url !== null &&
      ['http:', 'https:'].includes(url.protocol) &&
      url.username + url.password + url.search + url.hash === ''
    );
  },
  { message: 'must be an http:// or https:// URL without credentials, query or fragment' },
);

/** One service behind the hub, as an operator writes it down; see docs/upstreams.md. */
const upstreamSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be lower-case letters, digits and hyphens'),
  prefix: z
    .string()
    .regex(/^(\/[a-z0-9][a-z0-9._-]*)+$/, 'must be a path such as "/api/reports": lower case, no slash at its end'),
  target: targetUrl,
  scopes: z.union([
    scopeList.transform((scopes) => ({ read: scopes, write: scopes })),
    z.strictObject({ read: scopeList, write: scopeList }),
  ]),
  /** Whether the prefix is taken off before the path goes to the target. */
  stripPrefix: z.boolean().default(true),
  allowPrivateAddresses: z.boolean().default(false),
  /** Milliseconds until the answer begins, all attempts together. */
  timeoutMs: z.int().min(10).max(300_000).default(30_000),
  /** Milliseconds without a byte of the answer's body. */
  idleTimeoutMs: z.int().min(10).max(3_600_000).default(60_000),
  connectTimeoutMs: z.int().min(10).max(60_000).default(5_000),
  /** Times a GET, HEAD or OPTIONS is tried again. */
  retries: z.int().min(0).max(5).default(2),
  maxBodyBytes: z
    .int()
    .min(0)
    .default(100 * 1_048_576),
  /** Requests under way at once from one process. */
  maxConcurrent: z.int().min(1).max(10_000).default(256),
  /** Whether WebSockets are passed through; they need the scopes for reading and for writing. */
  websocket: z.boolean().default(false),
  /** A busy service is not broken by five failures: a tenth of its calls must have failed, too. */
  breaker: breakerOptionsSchema.extend({ minFailureShare: z.number().min(0).max(1).default(0.1) }).prefault({}),
});

export type UpstreamSettings = z.output<typeof upstreamSchema>;

const fileSchema = z.strictObject({
  /** Scopes that only upstreams use, each with one sentence for the person who grants it. */
  scopes: z.record(scopeName, z.string().min(1)).default({}),
  upstreams: z.array(upstreamSchema).max(200),
});

export type UpstreamsFile = z.output<typeof fileSchema>;

/** A mistake of the operator's, as one plain sentence. */
export class UpstreamsFileError extends Error {
  override readonly name = 'UpstreamsFileError';
}

const refuse = (index: number, field: string, what: string): never => {
  throw new UpstreamsFileError(`upstreams[${index}].${field} ${what}.`);
};

/** `upstreams[0].prefix`, as JavaScript would write it. */
const pathText = (path: readonly PropertyKey[]): string =>
  path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');

const isWithin = (inner: string, outer: string): boolean => inner === outer || inner.startsWith(`${outer}/`);

const hostOf = (target: string): string => new URL(target).hostname.replaceAll(/^\[|\]$/g, '');

const checkOne = (file: UpstreamsFile, index: number, knownScopes: ReadonlySet<string>): void => {
  const upstream = file.upstreams[index]!;
  for (const kind of ['read', 'write'] as const)
    for (const scope of upstream.scopes[kind])
      if (!knownScopes.has(scope) && !Object.hasOwn(file.scopes, scope))
        refuse(
          index,
          'scopes',
          `names ${scope}, which no part of the hub knows; declare it with a sentence under "scopes"`,
        );
  const host = hostOf(upstream.target);
  if (isIP(host) !== 0 && !upstream.allowPrivateAddresses && !isPublicAddress(host))
    refuse(index, 'target', `is the private address ${host}; set allowPrivateAddresses to true if it is meant`);
  for (const [other, { name, prefix }] of file.upstreams.entries()) {
    if (other === index) continue;
    if (name === upstream.name) refuse(index, 'name', `is taken by upstreams[${other}]`);
    if (isWithin(prefix, upstream.prefix)) refuse(index, 'prefix', `overlaps with that of upstreams[${other}]`);
  }
};

/**
 * Reads the operator's file and says what is wrong with it.
 * @throws UpstreamsFileError naming the field
 */
export const parseUpstreamsFile = (text: string, knownScopes: Iterable<string>): UpstreamsFile => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UpstreamsFileError(`is not valid JSON: ${(error as Error).message}.`);
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = pathText(issue?.path ?? []);
    throw new UpstreamsFileError(`${where === '' ? 'the file' : where}: ${issue?.message}.`);
  }
  const known = new Set(knownScopes);
  for (const scope of Object.keys(parsed.data.scopes))
    if (known.has(scope))
      throw new UpstreamsFileError(`scopes.${scope} is already one of the hub's own; leave it out.`);
  for (const index of parsed.data.upstreams.keys()) checkOne(parsed.data, index, known);
  return parsed.data;
};
