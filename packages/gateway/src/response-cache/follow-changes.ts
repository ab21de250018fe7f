import type { ChangeFeed } from '@impact-hub/core';
import { everything } from './invalidations.ts';

/** The changes under these topics that are remembered, each key with the number of its last one. */
export type PastChanges = (
  topics: readonly string[],
) => Promise<readonly { topic: string; key: string; seq: number }[]>;

/** Topic of what operators declare stale; the key of such a change is a name as `invalidations.ts` makes them. */
export const operatorTopic = 'response_cache';
/** Begins the key of the wish to count anew. */
export const resetMark = '!';

type Options = {
  changes: Pick<ChangeFeed, 'subscribe'>;
  pastChanges: PastChanges;
  hear(name: string, seq?: number): void;
  reset(): void;
  onError(error: unknown): void;
};

const retryMs = 1_000;

/** Hears what makes answers stale: from now on by the feed, and once what had happened before this process began. */
export const followChanges = ({ changes, pastChanges, hear, reset, onError }: Options) => {
  let topics: readonly string[] = [];
  let knowsPast = false;
  let reading = 0;
  let lastReset = '';
  let learning: Promise<void> = Promise.resolve();

  const hearChange = (topic: string, key: string, seq?: number): void => {
    if (topic !== operatorTopic) {
      hear(topic, seq);
      hear(`${topic}/${encodeURIComponent(key)}`, seq);
    } else if (!key.startsWith(resetMark)) hear(key, seq);
    else if (key !== lastReset) {
      // Comes by several ways and counts once.
      lastReset = key;
      reset();
    }
  };

  const learnPast = async (): Promise<void> => {
    reading += 1;
    const mine = reading;
    knowsPast = false;
    try {
      const past = await pastChanges(topics);
      if (mine !== reading) return;
      for (const { topic, key, seq } of past)
        if (topic !== operatorTopic || !key.startsWith(resetMark)) hearChange(topic, key, seq);
      knowsPast = true;
    } catch (error) {
      onError(error);
      setTimeout(() => void (mine === reading ? learnPast() : undefined), retryMs).unref();
    }
  };

  return {
    start: (given: ReadonlySet<string>): void => {
      topics = [...given, operatorTopic];
      for (const topic of topics)
        changes.subscribe(
          topic,
          (key, seq) => hearChange(topic, key, seq),
          topic === operatorTopic
            ? () => {
                hear(everything);
                void learnPast();
              }
            : undefined,
        );
      learning = learnPast();
    },
    /** Resolves when the past was read, or could not be. */
    learned: () => learning,
    /** False until what others kept in Redis can be judged. */
    knowsPast: () => knowsPast,
  };
};
