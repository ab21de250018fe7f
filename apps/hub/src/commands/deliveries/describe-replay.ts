import type { ReplayView } from '@impact-hub/impact-in';
import { goodId } from '../hub-api/good-id.ts';
import { note, printFields, printLine, when } from '../hub-api/print.ts';
import type { Sent } from '../hub-api/sent.ts';

export type Replay = Sent<ReplayView>;

/** The path of a replay. @throws UsageError when it is no id */
export const pathOfReplay = (id: string, action = ''): string =>
  `/api/v1/impact-in/replays/${goodId(id, 'replay')}${action}`;

const held: Readonly<Record<string, string>> = {
  live_traffic: 'gives way to live traffic',
  own_deliveries: 'waits for the deliveries it has begun',
};

const share = ({ done, selected }: Replay): string =>
  selected === 0 ? '' : ` (${Math.floor((100 * done) / selected)} %)`;

/** The progress of a replay in one line. */
export const describeProgress = (replay: Replay): string => {
  const { state, done, selected, failed, skipped, rate, eta, heldBy, isSelected } = replay;
  return [
    `${state}: ${done} of ${selected}${isSelected ? '' : ' or more'}${share(replay)}`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ...(rate === null ? [] : [`${rate}/s`]),
    ...(eta === null ? [] : [`until about ${when(eta)}`]),
    ...(heldBy === null ? [] : [held[heldBy] ?? heldBy]),
  ].join(', ');
};

/** Names and values of a replay for a person. */
export const fieldsOfReplay = (replay: Replay): Record<string, unknown> => {
  const conditions = Object.entries(replay.filter ?? {}).map(([name, value]) => `${name}=${value}`);
  return {
    replay: replay.id,
    progress: describeProgress(replay),
    succeeded: replay.succeeded,
    failed: replay.failed,
    skipped: replay.skipped,
    'in flight': replay.inFlight,
    selects: conditions.length === 0 ? replay.kind.replaceAll('_', ' ') : conditions,
    'at most': `${replay.ratePerSecond} a second`,
    reason: replay.reason,
    'asked for by': `${replay.requestedBy.kind} ${replay.requestedBy.id}`,
    created: when(replay.createdAt),
    started: when(replay.startedAt),
    ended: when(replay.finishedAt),
    'last error': replay.lastError,
  };
};

/** Tells how a replay ended, and what to do next. */
export const printEnd = (replay: Replay): void => {
  printFields(fieldsOfReplay(replay));
  if (replay.failed > 0) {
    printLine('');
    note(`See why: hub deliveries replays failures ${replay.id}`);
  }
  if (replay.skipped > 0) note(`See what was left out: hub deliveries replays failures ${replay.id} --skipped`);
  if (replay.state === 'paused' || replay.state === 'failed')
    note(`Let it go on: hub deliveries replays resume ${replay.id}`);
};
