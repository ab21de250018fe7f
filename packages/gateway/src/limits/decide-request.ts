import type { FastifyReply } from 'fastify';
import { decideLocally } from './decide-locally.ts';
import type { LimitMetrics, LimitName } from './limit-metrics.ts';
import type { LimitedCaller, Refusal } from './limited-caller.ts';
import { rateLimitExceeded } from './problems.ts';
import { writeHeaders, writeRefusalHeaders } from './rate-limit-headers.ts';
import type { SharedRedis } from './shared-redis.ts';
import type { TokenLender } from './token-lender.ts';

const whose: Record<LimitName, string> = { key: 'this API key', person: 'this person', company: 'the company' };

const refuse = (response: FastifyReply, caller: LimitedCaller, refusal: Refusal, nowMs: number): Error => {
  const retryAfterSeconds = Math.max(1, Math.ceil((refusal.freeAtMs - nowMs) / 1_000));
  writeRefusalHeaders(response, caller, refusal.violated, retryAfterSeconds);
  const limits = refusal.violated.map(
    (name) => `${name === 'company' ? caller.company.perMinute : caller.perMinute} of ${whose[name]}`,
  );
  return rateLimitExceeded({
    detail: `Requests per minute: the limit of ${limits.join(' and of ')} is reached.`,
    headers: { 'retry-after': String(retryAfterSeconds) },
    members: { 'violated-policies': refusal.violated },
    context: { violatedLimits: refusal.violated },
  });
};

/** What was refused a moment ago is refused again without asking. */
const rememberedRefusal = (caller: LimitedCaller, nowMs: number): Refusal | undefined => {
  const { company } = caller;
  if (nowMs < caller.refusedUntilMs) return { violated: [caller.name], freeAtMs: caller.freeAtMs };
  if (nowMs < company.refusedUntilMs) return { violated: ['company'], freeAtMs: company.freeAtMs };
  return undefined;
};

type Options = {
  shared: SharedRedis;
  lender: TokenLender;
  metrics: LimitMetrics;
  /** Monotonic. */
  nowMs(): number;
  /** Unix time, for headers only. */
  unixMs(): number;
};

/**
 * Decides about a request of a caller who has no tokens at hand: at once when it is refused from memory or Redis is
 * away, else when Redis has answered.
 * @throws ProblemError `rate_limit.exceeded`
 */
export const createDecision = ({ shared, lender, metrics, nowMs, unixMs }: Options) => {
  const refused = (response: FastifyReply, caller: LimitedCaller, refusal: Refusal): Error => {
    for (const limit of refusal.violated) metrics.exceeded.inc({ limit });
    return refuse(response, caller, refusal, nowMs());
  };
  return (response: FastifyReply, caller: LimitedCaller): void | Promise<void> => {
    const remembered = rememberedRefusal(caller, nowMs());
    if (remembered !== undefined) throw refused(response, caller, remembered);
    if (shared.isAway()) {
      const refusal = decideLocally(caller, shared.processes(), nowMs(), unixMs());
      if (refusal !== undefined) throw refused(response, caller, refusal);
      return writeHeaders(response, caller);
    }
    return new Promise((resolve, reject) => {
      lender.wait(caller, {
        admit: () => {
          try {
            writeHeaders(response, caller);
            resolve();
          } catch (error) {
            reject(error);
          }
        },
        refuse: (refusal) => reject(refused(response, caller, refusal)),
      });
    });
  };
};
