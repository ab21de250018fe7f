import { z } from 'zod';

const count = z.int().min(0);
const counts = z.record(z.string(), z.number());
const thisProcess = z.literal('this process');

const operationFigures = z.object({
  operationId: z.string(),
  memory: count.describe('Answered from memory.'),
  redis: count.describe('Answered from what another process kept.'),
  joined: count.describe('Answered together with a like request that was under way.'),
  miss: count.describe('Answered by the handler.'),
  refresh: count.describe('Answered by the handler because the caller asked so.'),
  bypass: count.describe('Callers who wanted no cache.'),
  notModified: count.describe('Of all these, answered with 304.'),
  staleRefused: count.describe('Found, but too old or no longer true.'),
  stored: count,
  overtaken: count.describe('Not kept, because something changed while the handler ran.'),
});

export const cacheView = z.object({
  figuresOf: thisProcess,
  since: z.date(),
  isServing: z.boolean().describe('False while nothing proves that changes arrive: every request runs its handler.'),
  usesRedis: z.boolean(),
  entries: count,
  maxEntries: count,
  bytes: count,
  maxBytes: count,
  invalidations: count,
  operations: z.array(operationFigures),
});

const circuitState = z.enum(['closed', 'open', 'half_open']);
export const breakerView = z.object({
  name: z.string(),
  state: circuitState.describe('Shared by all processes.'),
  retryAfterMs: z.number(),
  failureRate: z
    .number()
    .describe('Failed calls of this process within the window, 0 to 1; until it closes, of the window that opened it.'),
  openedBy: z
    .object({ calls: count, failures: count })
    .nullable()
    .describe('What opened it, until it closes. Null: it is closed, or another process opened it.'),
  totals: z.object({ success: count, failure: count, cancel: count, refused: count }),
  transitions: z.object({ closed: count, open: count, half_open: count }),
  lastTransitionAt: z.date().nullable(),
  options: z.object({
    failureThreshold: z.number(),
    failureWindowMs: z.number(),
    minFailureShare: z.number(),
    successThreshold: z.number(),
    openMs: z.number(),
  }),
});
export const breakersView = z.object({ figuresOf: thisProcess, data: z.array(breakerView) });

export const auditView = z.object({
  figuresOf: z.literal('the installation'),
  partitions: count,
  estimatedEvents: count.describe("By PostgreSQL's own statistics, which follow some seconds later."),
  estimatedInDefaultPartition: count.describe('Not 0: a partition was missing when they were written.'),
  bytes: count,
  writtenSinceReset: count.describe('Includes what was rolled back.'),
  since: z.date().nullable().describe("Null: since PostgreSQL's statistics began."),
});

export const replayProtectionView = z.object({
  idempotency: z.object({
    estimatedRecords: count.describe(
      "Stored answers over all processes, by PostgreSQL's own statistics, which follow some seconds later.",
    ),
    nextExpiresAt: z
      .date()
      .nullable()
      .describe('In the past: it protects from nothing any more and waits to be removed.'),
  }),
  webhooks: z.object({ rememberedEstimate: count.describe('Events recognised when they come again; kept for ever.') }),
  requests: z.object({
    figuresOf: thisProcess,
    since: z.date(),
    idempotency: counts.describe('Requests with an Idempotency-Key by outcome.'),
    webhooks: counts.describe('Webhooks by outcome; `duplicate` ones had no second effect.'),
  }),
});

export const dashboardView = z.object({
  status: z.enum(['ready', 'degraded', 'unavailable']),
  version: z.string(),
  uptimeSeconds: count.describe('Of the process that answers.'),
  processId: z.int(),
  checks: z.array(
    z.object({ name: z.string(), ok: z.boolean(), critical: z.boolean(), message: z.string().optional() }),
  ),
  changeFeedCurrent: z.boolean(),
  jobs: z.array(z.object({ state: z.string(), count, oldestDueSeconds: z.number() })).nullable(),
  breakers: z.object({ total: count, open: z.array(z.string()), halfOpen: z.array(z.string()) }),
  cache: z.object({ entries: count, bytes: count, requests: count, hitRate: z.number(), usesRedis: z.boolean() }),
  limits: z.object({ degraded: z.boolean(), refused: counts.describe('By whose limit, in this process.') }),
  idempotency: z.object({ estimatedRecords: count }).nullable(),
  audit: z.object({ estimatedEvents: count, bytes: count, estimatedInDefaultPartition: count }).nullable(),
});

export const resetBreakersBody = z
  .strictObject({ name: z.string().min(1).max(200).optional().describe('One breaker; left out, all of them.') })
  .optional();
export const resetBreakersView = z.object({
  name: z.string().nullable(),
  known: z.boolean().describe('False: this process has no breaker of that name; the others were told.'),
});

const word = z
  .string()
  .min(1, 'Leave the field out instead of sending it empty.')
  .max(300, 'Use at most 300 characters.')
  .regex(/^\P{C}*$/u, 'Use no control characters.');

export const clearCacheBody = z
  .strictObject({
    tag: word.optional().describe('A tag of routes, such as `api_key` or `api_key/<key id>`.'),
    pattern: word.optional().describe('`operationId /path?query`, with `*` for any characters.'),
    key: word.optional().describe('Exactly one `operationId /path?query`, for every caller.'),
  })
  .refine((body) => Object.values(body).filter((value) => value !== undefined).length <= 1, {
    message: 'Name a tag, a pattern or a key, not more than one; left out, everything is cleared.',
  })
  .optional();
export type ClearCacheBody = NonNullable<z.output<typeof clearCacheBody>>;
export const clearedView = z.object({ cleared: z.string().describe('What no process serves any more.') });

export const resetView = z.object({ resetAt: z.date() });
export const clearedReplayView = z.object({
  removedExpired: count,
});
