import type { ChangeFeed } from '@impact-hub/core';
import type { CachePlace } from './cache-place.ts';
import { matchGlob } from './match-glob.ts';

/** What was known when an answer was begun: `epoch` counts what this process heard, `seq` is the feed's own number. */
export type Since = { epoch: number; seq: number };

type Mark = Since & {
  /** When it was heard without its number; -Infinity once the number is known. */
  heardAtMs: number;
};

/** Names under which something is declared stale; a change of the feed has the name `topic` and `topic/key`. */
export const everything = '*';
export const nameOfKey = (label: string): string => `=${label}`;
export const nameOfTag = (tag: string): string => `@${tag}`;
export const nameOfPattern = (glob: string): string => `~${glob}`;

const maxMarks = 10_000;
const maxPatterns = 100;

/** All names that concern an answer, patterns apart. */
export const namesOf = (place: CachePlace): string[] => [
  everything,
  nameOfKey(place.label),
  ...place.tags.flatMap((tag) => {
    const topic = tag.split('/', 1)[0] ?? tag;
    return topic === tag ? [tag, nameOfTag(tag)] : [tag, nameOfTag(tag), nameOfTag(topic)];
  }),
];

export type Invalidations = {
  /** Something is stale from here on. @param seq its number in the feed; left out when it came by a message */
  hear(name: string, seq?: number): void;
  /** To be taken before an answer is begun. */
  since(): Since;
  /** Whether nothing that concerns the answer has been heard since. */
  isFresh(answer: { names: readonly string[]; label: string }, since: Since): boolean;
  /**
   * The same for an answer that another process began: whether it began after every change that concerns it and that
   * this process has heard of. A change without a number makes everybody else's answers doubtful until the poll tells it.
   */
  isSharedFresh(answer: { names: readonly string[]; label: string }, seq: number): boolean;
};

/** Remembers what became stale, and judges answers by it. Nothing is looked up or deleted when something changes. */
export const createInvalidations = (changes: Pick<ChangeFeed, 'position'>): Invalidations => {
  const marks = new Map<string, Mark>();
  const patterns = new Map<string, Mark>();
  let epoch = 0;

  const keep = (into: Map<string, Mark>, name: string, max: number, seq: number | undefined): void => {
    const known = into.get(name);
    // The poll repeats what a message has told before; only the number may be news.
    if (seq !== undefined && known !== undefined && known.seq >= seq) return;
    epoch += 1;
    const heardAtMs = seq === undefined ? performance.now() : (known?.heardAtMs ?? -Infinity);
    if (into.size >= max && known === undefined) {
      const highest = Math.max(changes.position().seq, ...[...into.values()].map((mark) => mark.seq), seq ?? 0);
      into.clear();
      marks.set(everything, { epoch, seq: highest, heardAtMs: performance.now() });
    }
    into.set(name, { epoch, seq: Math.max(seq ?? 0, known?.seq ?? 0), heardAtMs });
  };

  const concerns = (answer: { names: readonly string[]; label: string }, isStale: (mark: Mark) => boolean): boolean => {
    for (const name of answer.names) {
      const mark = marks.get(name);
      if (mark !== undefined && isStale(mark)) return true;
    }
    for (const [glob, mark] of patterns) if (isStale(mark) && matchGlob(glob, answer.label)) return true;
    return false;
  };

  return {
    hear: (name, seq) => {
      if (name.startsWith('~')) keep(patterns, name.slice(1), maxPatterns, seq);
      else keep(marks, name, maxMarks, seq);
    },
    since: () => ({ epoch, seq: changes.position().seq }),
    isFresh: (answer, since) => !concerns(answer, (mark) => mark.epoch > since.epoch),
    isSharedFresh: (answer, seq) => {
      const { asOfMs } = changes.position();
      return !concerns(answer, (mark) => mark.seq > seq || mark.heardAtMs >= asOfMs);
    },
  };
};
