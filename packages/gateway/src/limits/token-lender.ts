import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { CompanyLimits } from './company-limits.ts';
import { decideLocally } from './decide-locally.ts';
import type { LimitMetrics } from './limit-metrics.ts';
import { countUsed, endSlot, secondOf, type LimitedCaller, type Waiter } from './limited-caller.ts';
import type { SharedRedis } from './shared-redis.ts';
import type { SlidingWindow } from './sliding-window.ts';
import { longestSpanSeconds, readTaken, takeTokensLua } from './take-tokens-script.ts';
import { useAnswer } from './use-answer.ts';

/** A process takes at most this part of a limit ahead: limits below 200 are asked for request by request. */
const leaseDivisor = 200;
/** And at most this part of what is left, shared by the processes: near its end every limit is strict. */
const restDivisor = 10;
/** Half as much again is taken ahead as the demand needs, so that a message is rarely due before its time. */
const reserve = 1.5;
/** The demand is measured over at least a second; whoever uses up a lease sooner may want as many times more. */
const measuredOverMs = 1_000;
const growth = 4;
/** At most half of it is forgotten at a time, so that a pause leaves something. */
const decay = 0.5;
/** Callers with fewer requests a second are not worth tokens for one second: giving back costs a message too. */
const worthLeasing = 4;
/**
 * With fewer than this they are not worth tokens for several seconds either; with more, one message a second costs a
 * request less than a microsecond.
 */
const slowest = 0.5;
const fastest = 64;
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
    needed: number,
    span: number,
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

/** Tokens beyond those waited for, to be used in the present second and as many more as `span` says. */
type Lease = { ahead: number; span: number };

const hasHalfLeft = (rest: number, perMinute: number): boolean => rest * 2 > perMinute;

/** What is worth taking ahead now. Tokens for several seconds count longer; near a limit that would cost requests. */
const leaseFor = ({ perSecond, perMinute, rest, company }: LimitedCaller, processes: number): Lease => {
  const isRoomy = hasHalfLeft(rest, perMinute) && hasHalfLeft(company.remaining, company.perMinute);
  const span = isRoomy && perSecond >= slowest && perSecond <= fastest ? longestSpanSeconds : 0;
  if (span === 0 && perSecond < worthLeasing) return { ahead: 0, span };
  const ofLimit = Math.min(perMinute, company.perMinute) / leaseDivisor;
  const ofRest = Math.min(rest, company.remaining) / (restDivisor * processes);
  const ahead = Math.max(0, Math.floor(Math.min(perSecond * reserve * Math.max(1, span), ofLimit, ofRest)));
  return { ahead, span: ahead === 0 ? 0 : span };
};

/** Learns the demand, and ends a slot whose time is over. */
const measure = (caller: LimitedCaller, nowMs: number): void => {
  const isOver = nowMs >= caller.validUntilMs;
  const elapsedMs = nowMs - caller.measuredAtMs;
  if (isOver) endSlot(caller, nowMs);
  else countUsed(caller, nowMs);
  if (elapsedMs >= measuredOverMs) {
    caller.perSecond = Math.max((caller.used * 1_000) / elapsedMs, caller.perSecond * decay);
    caller.measuredAtMs = nowMs;
    caller.used = 0;
  } else if (!isOver) caller.perSecond = Math.min(Math.max(worthLeasing, caller.perSecond * growth), caller.perMinute);
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

const ask = async (caller: LimitedCaller, { ahead, span }: Lease, options: Options): Promise<void> => {
  const { shared, metrics, nowMs } = options;
  const { company, unused, owed } = caller;
  const needed = caller.waiting.length;
  caller.unused = undefined;
  caller.owed = undefined;
  const sentAtMs = nowMs();
  const send = (client: Redis): Promise<number[]> =>
    (client as Scripts).hubTakeTokens(
      ...caller.windows,
      needed + ahead,
      needed,
      span,
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
  const taken = readTaken(answer);
  metrics.leased.inc(Math.max(0, taken.granted - needed));
  metrics.unused.inc(unused?.count ?? 0);
  return useAnswer(caller, taken, { needed, sentAtMs, nowMs: nowMs() });
};

/**
 * Gets tokens from Redis for the callers of this process: those that requests wait for and, for callers with a high
 * limit, some ahead. Per caller at most one request to Redis is under way; requests that arrive meanwhile share the
 * next. A token is paid for before it is used, and counts from no earlier than the last second it may be used in, so leases never admit more
 * than the limit.
 */
export const createTokenLender = (options: Options) => {
  const { shared, companies, nowMs } = options;
  /** Those with tokens to give back when their second is over. */
  const lending = new Set<LimitedCaller>();

  /** Asks until nobody waits. Never rejects, and whatever happens the next request can ask again. */
  const askFor = async (caller: LimitedCaller, first: Lease): Promise<void> => {
    caller.isAsking = true;
    try {
      for (let next = first; ; next = leaseFor(caller, shared.processes())) {
        // Requests that arrive in the same turn of the event loop are asked for together.
        await nextTurn();
        await companies.refresh(caller.company);
        if (shared.isAway()) serveLocally(caller, options);
        else await ask(caller, next, options);
        if (caller.waiting.length === 0) break;
        measure(caller, nowMs());
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

  const giveBack = async (caller: LimitedCaller): Promise<void> => {
    const now = nowMs();
    countUsed(caller, now);
    if (now < caller.validUntilMs + idleAfterMs || caller.isAsking) return;
    lending.delete(caller);
    endSlot(caller, now);
    if (caller.unused !== undefined && !shared.isAway()) await askFor(caller, { ahead: 0, span: 0 });
  };
  let isSweeping = false;
  const sweep = async (): Promise<void> => {
    companies.forgetUnlessCurrent();
    if (isSweeping) return;
    isSweeping = true;
    // One after the other: thousands that fell idle together must not make Redis late for those who wait.
    for (const caller of lending) await giveBack(caller);
    isSweeping = false;
  };
  const timer = setInterval(() => void sweep(), sweepIntervalMs).unref();

  return {
    /** Fetches tokens before the last ones are used. */
    refill: (caller: LimitedCaller): void => {
      if (caller.isAsking || shared.isAway()) return;
      measure(caller, nowMs());
      const lease = leaseFor(caller, shared.processes());
      if (lease.ahead > 0) void askFor(caller, lease);
    },
    /** Puts a request in line; `waiter` is called when Redis has answered, or does not. */
    wait: (caller: LimitedCaller, waiter: Waiter): void => {
      caller.waiting.push(waiter);
      if (caller.isAsking) return;
      measure(caller, nowMs());
      void askFor(caller, leaseFor(caller, shared.processes()));
    },
    stop: (): void => clearInterval(timer),
  };
};

export type TokenLender = ReturnType<typeof createTokenLender>;
