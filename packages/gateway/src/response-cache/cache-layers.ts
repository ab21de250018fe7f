import type { Answer, ChangeFeed, Clock } from '@impact-hub/core';
import { LRUCache } from 'lru-cache';
import type { Asked, Count } from './asked.ts';
import { entityTagOf } from './entity-tag.ts';
import type { Invalidations, Since } from './invalidations.ts';
import type { KeptAnswer } from './kept-answer.ts';
import { ageSecondsOf } from './present-answer.ts';
import type { SharedLayer } from './shared-layer.ts';

export const maxMemoryBytes = 64 * 1_048_576;
const maxAnswerBytes = 1_048_576;
/** What an entry costs besides its body: headers, names, key. */
const entryOverheadBytes = 1_024;

type HeldAnswer = { kept: KeptAnswer; since: Since; names: readonly string[]; label: string };

/** What one process holds, bounded in number and size; the least recently used goes first. */
export const createMemory = (maxEntries: number) =>
  new LRUCache<string, HeldAnswer>({
    max: maxEntries,
    maxSize: maxMemoryBytes,
    sizeCalculation: ({ kept }) => entryOverheadBytes + 2 * kept.body.length,
  });

type Options = {
  memory: ReturnType<typeof createMemory>;
  shared: SharedLayer;
  changes: Pick<ChangeFeed, 'isCurrent'>;
  invalidations: Invalidations;
  /** False until answers that other processes kept can be judged. */
  knowsPast(): boolean;
  generation(): string;
  clock: Clock;
  count: Count;
};

const isKeepable = ({ status, headers, body }: Answer): boolean =>
  status === 200 && headers['set-cookie'] === undefined && body.length <= maxAnswerBytes;

/** Memory and Redis as one: what they give out is young enough and not known to be stale. */
export const createCacheLayers = (options: Options) => {
  const { memory, shared, changes, invalidations, clock, count } = options;
  const sharedId = (asked: Asked): string => `${options.generation()}\n${asked.id}`;
  const isYoung = ({ cache, wishes }: Asked, kept: KeptAnswer): boolean => {
    const ageMs = clock.nowMs() - kept.storedAtMs;
    // Clocks of processes differ a little; more than that, and the age says nothing.
    return (
      ageMs > -1_000 && ageMs < cache.ttlSeconds * 1_000 && ageSecondsOf(kept, clock.nowMs()) <= wishes.maxAgeSeconds
    );
  };
  const hold = ({ id, names, label }: Asked, kept: KeptAnswer, since: Since): void =>
    void memory.set(id, { kept, since, names, label });

  return {
    isYoung,
    readMemory: (asked: Asked): KeptAnswer | undefined => {
      const held = memory.get(asked.id);
      if (held === undefined) return undefined;
      if (invalidations.isFresh(held, held.since) && isYoung(asked, held.kept)) return held.kept;
      count(asked, 'staleRefused');
      return undefined;
    },

    readShared: async (asked: Asked): Promise<KeptAnswer | undefined> => {
      if (!options.knowsPast()) return undefined;
      const found = await shared.read(sharedId(asked));
      if (found === undefined) return undefined;
      // Judged and held in one turn, so that no change can come between the two.
      if (!changes.isCurrent() || !invalidations.isSharedFresh(asked, found.seq) || !isYoung(asked, found)) {
        count(asked, 'staleRefused');
        return undefined;
      }
      const { seq: _seq, ...kept } = found;
      hold(asked, kept, invalidations.since());
      return kept;
    },
    /**
     * Keeps what the handler made, unless something that concerns it has changed since it began.
     * @returns undefined for an answer that nobody else may get
     */
    keep: (asked: Asked, answer: Answer, { since, storedAtMs }: { since: Since; storedAtMs: number }) => {
      if (!isKeepable(answer)) return undefined;
      const { headers, body } = answer;
      const kept: KeptAnswer = { headers, body, etag: entityTagOf(body), storedAtMs };
      if (!invalidations.isFresh(asked, since)) count(asked, 'overtaken');
      else {
        count(asked, 'stored');
        hold(asked, kept, since);
        shared.write(sharedId(asked), { ...kept, seq: since.seq }, asked.cache.ttlSeconds);
      }
      return kept;
    },
  };
};

export type CacheLayers = ReturnType<typeof createCacheLayers>;
