import type { EndpointRow } from '../../tables.ts';

type Watched = Pick<EndpointRow, 'state' | 'expectedEverySeconds' | 'expectedSince' | 'silentSince'>;

export type Silence =
  | { is: 'as_known' }
  /** `since`: when the partner was last heard, or when waiting for it began. */
  | { is: 'begun'; since: Date }
  | { is: 'over'; since: Date; heardAt: Date };

/** What an event may be late by before anybody is woken; as in the query of `watch-silence.ts`. */
const graceSeconds = (expectedEverySeconds: number): number => Math.max(30, expectedEverySeconds / 4);

/** Within this time senders repeat what they could not deliver; as in the query of `watch-silence.ts`. */
export const catchUpSeconds = 3_600;

/**
 * Whether an endpoint has fallen silent, or has been heard again.
 *
 * @param listeningSince since when the hub could hear its partner; before that, silence says nothing
 */
export const judgeSilence = (watched: Watched, heardAt: Date | null, now: Date, listeningSince: Date): Silence => {
  const { state, expectedEverySeconds, expectedSince, silentSince } = watched;
  if (state !== 'active' || expectedEverySeconds === null || expectedSince === null) return { is: 'as_known' };
  if (silentSince !== null)
    return heardAt !== null && heardAt > silentSince ? { is: 'over', since: silentSince, heardAt } : { is: 'as_known' };
  const since = heardAt !== null && heardAt > expectedSince ? heardAt : expectedSince;
  const secondsSince = (time: Date): number => (now.getTime() - time.getTime()) / 1_000;
  const patienceSeconds = expectedEverySeconds + graceSeconds(expectedEverySeconds);
  const isQuiet =
    secondsSince(since) > patienceSeconds && secondsSince(listeningSince) > Math.min(patienceSeconds, catchUpSeconds);
  return isQuiet ? { is: 'begun', since } : { is: 'as_known' };
};
