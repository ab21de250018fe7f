import { isIpRange } from '@impact-hub/core';
import { z } from 'zod';

const url = (protocols: readonly string[]) =>
  z.string().refine(
    (text) => {
      try {
        return protocols.includes(new URL(text).protocol);
      } catch {
        return false;
      }
    },
    { message: `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}` },
  );

const postgresUrl = url(['postgres:', 'postgresql:']);
const httpUrl = url(['http:', 'https:']);
const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,10}$/, { message: `must be a whole number from ${min} to ${max}` })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { message: `must be a whole number from ${min} to ${max}` });
/** What Fastify's `trustProxy` understands: an address, a range (but not all addresses), or one of its names. */
const isProxyRange = (text: string): boolean =>
  ['loopback', 'linklocal', 'uniquelocal'].includes(text) || (isIpRange(text) && !text.endsWith('/0'));
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);

/**
 * Every setting of the hub, read once from the environment. `.env.example` and `hub config` are made from this table;
 * a description's first line is all an operator sees, so it says the unit and the effect.
 */
export const settingsSchema = z.object({
  HUB_HOST: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
  HUB_PORT: integer(0, 65_535).default(3000).describe('Port to listen on; 0 takes any free one.'),
  HUB_PUBLIC_URL: httpUrl.optional().describe('Address people and partners use, when a proxy stands in front.'),
  HUB_DATA_DIR: z.string().min(1).default('.hub').describe('Folder of the embedded stores, keys and credentials.json.'),
  HUB_LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'], { message: 'must be one of debug, info, warn, error' })
    .default('info')
    .describe('Least severe log line that is written.'),
  HUB_TRUST_PROXY: list
    .refine((parts) => parts.every(isProxyRange), {
      message: 'must be addresses or ranges such as 10.0.0.0/8, or loopback',
    })
    .default([])
    .describe('Comma-separated addresses or ranges of proxies whose X-Forwarded-For is believed.'),
  DATABASE_URL: postgresUrl
    .optional()
    .describe(
      'PostgreSQL 16–18, as the owner of the database; with no database setting at all, one is started in HUB_DATA_DIR.',
    ),
  HUB_DATABASE_RUNTIME_URL: postgresUrl
    .optional()
    .describe(
      'Login in role hub_runtime; made through DATABASE_URL when not set. Without DATABASE_URL nothing is migrated.',
    ),
  HUB_DATABASE_SYSTEM_URL: postgresUrl
    .optional()
    .describe('Login in role hub_system; goes with HUB_DATABASE_RUNTIME_URL.'),
  HUB_DATABASE_POOL_SIZE: integer(2, 200).default(12).describe('Connections per role and process.'),
  REDIS_URL: url(['redis:', 'rediss:'])
    .optional()
    .describe('Redis 7 or Valkey; without it a private redis-server is started in HUB_DATA_DIR.'),
  CLICKHOUSE_URL: httpUrl
    .optional()
    .describe('ClickHouse server; without it the engine runs inside the process, with its data in HUB_DATA_DIR.'),
  HUB_ROOT_KEY_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('File with the 32-byte root key; default root.key in HUB_DATA_DIR, created when missing.'),
  HUB_CACHE_ENTRIES: integer(1, 1_000_000)
    .default(1_000)
    .describe('Answers each process keeps in memory, least recently used first to go; at most 64 MiB of them.'),
  HUB_METRICS_TOKEN: z
    .string()
    .min(16, { message: 'must have at least 16 characters' })
    .optional()
    .describe('When set, /metrics needs it as a bearer token.'),
  HUB_JOB_LEASE_SECONDS: integer(1, 3_600)
    .default(60)
    .describe('Seconds until a dispatched job without an answer is dispatched again.'),
  HUB_LEAKED_KEY_POLICY: z
    .enum(['revoke', 'disable', 'notify'], { message: 'must be one of revoke, disable, notify' })
    .default('revoke')
    .describe('What happens to a valid API key that is reported as found in public: revoke, disable or notify.'),
  HUB_DRAIN_SECONDS: integer(0, 600)
    .default(0)
    .describe(
      'Seconds to serve on, not ready, when asked to end; behind a load balancer longer than it takes to notice, 10 say.',
    ),
  HUB_MAX_EVENT_LOOP_DELAY_MS: integer(10, 60_000)
    .default(1_000)
    .describe('Milliseconds the event loop may be late before requests are answered with 503; webhooks twice as many.'),
  HUB_MAX_CONCURRENT_REQUESTS: integer(1, 1_000_000)
    .default(2_000)
    .describe('Requests under way per process before more are answered with 503; webhooks twice as many.'),
  HUB_UPSTREAMS_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('JSON file of the services behind the hub; see docs/upstreams.md.'),
  HUB_PARTNER_PRIVATE_ADDRESSES: z
    .enum(['allow', 'refuse'], { message: 'must be allow or refuse' })
    .default('refuse')
    .describe(
      'Whether companies may name partner addresses of the private network, plain HTTP included: allow or refuse.',
    ),
  HUB_RECEIPT_RETENTION_DAYS: integer(7, 3_650)
    .default(90)
    .describe('Days for which everything that partners sent is kept, refused requests included.'),
  HUB_DEDUPE_RETENTION_DAYS: integer(30, 3_650)
    .default(90)
    .describe('Days for which an event that is sent again is recognised; longer than any partner repeats.'),
  HUB_DELIVERY_RETENTION_DAYS: integer(30, 3_650)
    .default(400)
    .describe('Days for which deliveries and their attempts are kept.'),
  HUB_COMPANY_RATE_LIMIT_PER_MINUTE: integer(1, 1_000_000_000)
    .default(1_200_000)
    .describe('Requests per minute of all keys and people of a company, unless it has a limit of its own.'),
  HUB_OIDC_ISSUER: httpUrl.optional().describe('OpenID Connect issuer for single sign-on.'),
  HUB_OIDC_CLIENT_ID: z.string().min(1).optional().describe('Client id registered with the issuer.'),
  HUB_OIDC_CLIENT_SECRET: z.string().min(1).optional().describe('Client secret registered with the issuer.'),
});

export type Settings = z.output<typeof settingsSchema>;

/** Whether this installation brings its own PostgreSQL. */
export const hasEmbeddedPostgres = (settings: Settings): boolean =>
  settings.DATABASE_URL === undefined && settings.HUB_DATABASE_RUNTIME_URL === undefined;

/** Settings whose value is never shown. */
export const secretSettings: ReadonlySet<string> = new Set(['HUB_METRICS_TOKEN', 'HUB_OIDC_CLIENT_SECRET']);
