import { defineProblem, type Answer, type ChangeFeed, type Clock } from '@impact-hub/core';
import type { Asked, Count } from './asked.ts';
import type { CacheLayers } from './cache-layers.ts';
import type { CacheOutcome } from './cache-statistics.ts';
import type { Invalidations, Since } from './invalidations.ts';
import type { KeptAnswer } from './kept-answer.ts';
import { presentAnswer } from './present-answer.ts';

const notCached = defineProblem({
  code: 'cache.not_cached',
  status: 504,
  title: 'Not in the cache',
  remedy: 'Send the request without `Cache-Control: only-if-cached`.',
  // What the header asks for (RFC 9111 §5.2.1.7).
  isExpected: true,
});

type Flight = { since: Since; result: Promise<KeptAnswer | undefined> };
type Run = () => Promise<Answer>;

type Options = {
  layers: CacheLayers;
  changes: Pick<ChangeFeed, 'isCurrent'>;
  invalidations: Invalidations;
  clock: Clock;
  count: Count;
};

const createFills = ({ layers, invalidations, clock, count }: Options) => {
  const present = (asked: Asked, kept: KeptAnswer, source: CacheOutcome): Answer => {
    count(asked, source);
    const answer = presentAnswer(asked.call, asked.cache, kept, { nowMs: clock.nowMs(), source });
    if (answer.status === 304) count(asked, 'notModified');
    return answer;
  };
  /** Runs the handler. What changes meanwhile still goes to who asked before it, but is not kept. */
  const fill = async (asked: Asked, run: Run, outcome: CacheOutcome): Promise<[Answer, KeptAnswer?]> => {
    const begun = { since: invalidations.since(), storedAtMs: clock.nowMs() };
    const answer = await run();
    const kept = layers.keep(asked, answer, begun);
    if (kept !== undefined) return [present(asked, kept, outcome), kept];
    count(asked, outcome);
    return [answer];
  };
  return { present, fill };
};

/** Decides where an answer comes from: memory, a like request under way, Redis, the handler. */
export const createAnswering = (options: Options): ((asked: Asked, run: Run) => Promise<Answer>) => {
  const { layers, changes, invalidations } = options;
  const { present, fill } = createFills(options);
  const flights = new Map<string, Flight>();

  /** Answers for itself and for all who join meanwhile; they get nothing but an answer that may be kept. */
  const lead = async (asked: Asked, run: Run): Promise<Answer> => {
    const { promise, resolve } = Promise.withResolvers<KeptAnswer | undefined>();
    const flight: Flight = { since: invalidations.since(), result: promise };
    const { noCache } = asked.wishes;
    flights.set(asked.id, flight);
    let kept: KeptAnswer | undefined;
    try {
      if (!noCache) kept = await layers.readShared(asked);
      if (kept !== undefined) return present(asked, kept, 'redis');
      let answer;
      [answer, kept] = await fill(asked, run, noCache ? 'refresh' : 'miss');
      return answer;
    } finally {
      if (flights.get(asked.id) === flight) flights.delete(asked.id);
      resolve(kept);
    }
  };

  const join = async (asked: Asked, flight: Flight, run: Run): Promise<Answer> => {
    const kept = await flight.result;
    if (kept !== undefined && layers.isYoung(asked, kept)) return present(asked, kept, 'joined');
    // The one that was under way failed, or has an answer that is nobody else's: each for themselves.
    const [answer] = await fill(asked, run, 'miss');
    return answer;
  };

  const onlyFromCache = async (asked: Asked): Promise<Answer> => {
    const kept = changes.isCurrent() ? await layers.readShared(asked) : undefined;
    if (kept === undefined) throw notCached();
    return present(asked, kept, 'redis');
  };

  return (asked, run) => {
    const { wishes } = asked;
    const mayTake = changes.isCurrent() && !wishes.noCache;
    const held = mayTake ? layers.readMemory(asked) : undefined;
    if (held !== undefined) return Promise.resolve(present(asked, held, 'memory'));
    if (wishes.onlyIfCached) return onlyFromCache(asked);
    const flight = mayTake ? flights.get(asked.id) : undefined;
    if (flight !== undefined && invalidations.isFresh(asked, flight.since)) return join(asked, flight, run);
    return lead(asked, run);
  };
};
