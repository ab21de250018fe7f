import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { CompanyLimits } from './company-limits.ts';
import { decideLocally } from './decide-locally.ts';
import type { LimitMetrics } from './limit-metrics.ts';
import { endSlot, secondOf, type LimitedCaller, type Waiter } from './limited-caller.ts';
import type { SharedRedis } from './shared-redis.ts';
import type { SlidingWindow } from './sliding-window.ts';
import { readTaken, takeTokensLua } from './take-tokens-script.ts';
import { useAnswer } from './use-answer.ts';

/** A process takes at most this part of a limit ahead: limits below 200 are asked for request by request. */
const leaseDivisor = 200;
/** And at most this part of what is left, shared by the processes: near its end every limit is strict. */
const restDivisor = 10;
/**
 * At the start of a second half as much again is taken as the last one needed, or half of what was taken before, so
 * that a pause is not forgotten at once; within a second, ever more. Callers with fewer requests a second are not worth
 * it: giving back costs a message too.
 */
const paceOfDemand = 1.5;
const paceDecay = 0.5;
const paceGrowth = 4;
const worthLeasing = 4;
const sweepIntervalMs = 1_000;
/** Those who go on give back with their next message; only what idle callers hold needs one of its own. */
const idleAfterMs = 1_000;

type Options = {
  shared: SharedRedis;
  companies: CompanyLimits;
  metrics: LimitMetrics;
  /** Unix time, for headers only. */
  unixMs(): number;
  /** Monotonic. */
  nowMs(): number;
  /** Hears what ought not to happen; requests in line are decided without Redis then. */
  onError(error: unknown): void;
};

type Scripts = Redis & {
  hubTakeTokens(
    window: string,
    companyWindow: string,
    wanted: number,
    unusedSecond: number,
    unused: number,
    owed: number,
    limit: number,
    companyLimit: number,
  ): Promise<number[]>;
};

/** Makes the script known to the connection, which sends its text when Redis does not have it. */
export const defineTakeTokens = (redis: Redis): void =>
  redis.defineCommand('hubTakeTokens', { numberOfKeys: 2, lua: takeTokensLua });

/** How many tokens beyond those waited for are worth taking now. */
const aheadOf = ({ pace, perMinute, rest, company }: LimitedCaller, processes: number): number => {
  const ofLimit = Math.min(perMinute, company.perMinute) / leaseDivisor;
  const ofRest = Math.min(rest, company.remaining) / (restDivisor * processes);
  return Math.max(0, Math.floor(Math.min(pace, ofLimit, ofRest)));
};

const setPace = (caller: LimitedCaller, nowMs: number): void => {
  if (nowMs < caller.validUntilMs) {
    caller.pace = Math.min(Math.max(worthLeasing, caller.pace * paceGrowth), caller.perMinute);
    return;
  }
  const pace = Math.max(endSlot(caller, nowMs) * paceOfDemand, caller.pace * paceDecay);
  caller.pace = pace < worthLeasing ? 0 : Math.ceil(pace);
};

const serveLocally = (caller: LimitedCaller, { shared, nowMs, unixMs }: Options): void => {
  for (let waiter = caller.waiting.shift(); waiter !== undefined; waiter = caller.waiting.shift()) {
    const refusal = decideLocally(caller, shared.processes(), nowMs(), unixMs());
    if (refusal === undefined) waiter.admit();
    else waiter.refuse(refusal);
  }
};

/** What Redis may not have heard is still owed, besides what was admitted while the message was under way. */
const oweAgain = (caller: LimitedCaller, earlier: SlidingWindow, second: number): void => {
  caller.owed?.merge(earlier, second);
  caller.owed ??= earlier;
};

const ask = async (caller: LimitedCaller, ahead: number, options: Options): Promise<void> => {
  const { shared, metrics, nowMs } = options;
  const { company, unused, owed } = caller;
  const wanted = caller.waiting.length + ahead;
  caller.unused = undefined;
  caller.owed = undefined;
  const sentAtMs = nowMs();
  const send = (client: Redis): Promise<number[]> =>
    (client as Scripts).hubTakeTokens(
      ...caller.windows,
      wanted,
      unused?.second ?? 0,
      unused?.count ?? 0,
      owed?.used(secondOf(sentAtMs)) ?? 0,
      caller.perMinute,
      company.perMinute,
    );
  const answer = await shared.ask(send).catch(() => undefined);
  if (answer === undefined) {
    if (owed !== undefined) oweAgain(caller, owed, secondOf(nowMs()));
    return serveLocally(caller, options);
  }
  metrics.leased.inc(ahead);
  metrics.unused.inc(unused?.count ?? 0);
  return useAnswer(caller, readTaken(answer), { wanted, sentAtMs, nowMs: nowMs() });
};

/**
 * Gets tokens from Redis for the callers of this process: those that requests wait for and, for callers with a high
 * limit, some ahead. Per caller at most one request to Redis is under way; requests that arrive meanwhile share the
 * next. A token is paid for before it is used, and only in the second it was taken for, so leases never admit more
 * than the limit.
 */
export const createTokenLender = (options: Options) => {
  const { shared, companies, nowMs } = options;
  /** Those with tokens to give back when their second is over. */
  const lending = new Set<LimitedCaller>();

  /** Asks until nobody waits. Never rejects, and whatever happens the next request can ask again. */
  const askFor = async (caller: LimitedCaller, ahead: number): Promise<void> => {
    caller.isAsking = true;
    try {
      for (let next = ahead; ; next = aheadOf(caller, shared.processes())) {
        // Requests that arrive in the same turn of the event loop are asked for together.
        await nextTurn();
        await companies.refresh(caller.company);
        if (shared.isAway()) serveLocally(caller, options);
        else await ask(caller, next, options);
        if (caller.waiting.length === 0) break;
        setPace(caller, nowMs());
      }
    } catch (error) {
      options.onError(error);
      serveLocally(caller, options);
    } finally {
      // In the same turn as the last look at the line: who came in between would wait for ever.
      caller.isAsking = false;
    }
    if (caller.left > 0) lending.add(caller);
  };

  const giveBack = (caller: LimitedCaller): void => {
    const now = nowMs();
    if (now < caller.validUntilMs + idleAfterMs || caller.isAsking) return;
    lending.delete(caller);
    endSlot(caller, now);
    if (caller.unused !== undefined && !shared.isAway()) void askFor(caller, 0);
  };
  const sweep = setInterval(() => {
    companies.forgetUnlessCurrent();
    lending.forEach(giveBack);
  }, sweepIntervalMs).unref();

  return {
    /** Fetches tokens before the last ones are used. */
    refill: (caller: LimitedCaller): void => {
      if (caller.isAsking || shared.isAway()) return;
      setPace(caller, nowMs());
      const ahead = aheadOf(caller, shared.processes());
      if (ahead > 0) void askFor(caller, ahead);
    },
    /** Puts a request in line; `waiter` is called when Redis has answered, or does not. */
    wait: (caller: LimitedCaller, waiter: Waiter): void => {
      caller.waiting.push(waiter);
      if (caller.isAsking) return;
      setPace(caller, nowMs());
      void askFor(caller, aheadOf(caller, shared.processes()));
    },
    stop: (): void => clearInterval(sweep),
  };
};

export type TokenLender = ReturnType<typeof createTokenLender>;
