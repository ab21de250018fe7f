import type { AuditActor } from '@impact-hub/audit';
import type { DeliveryFilter } from '../deliveries/delivery-repository.ts';
import type { DeliveryRow } from '../tables.ts';

/** waiting: for the company's replay that is running, or for its first step. */
export const replayStates = ['waiting', 'running', 'paused', 'done', 'cancelled', 'failed'] as const;
export type ReplayState = (typeof replayStates)[number];

export const replayKinds = ['one', 'selection', 'window', 'retry_failed'] as const;
export type ReplayKind = (typeof replayKinds)[number];

/** selected: not begun yet; started: its job will tell; the others are how it ended. */
export const itemStates = ['selected', 'started', 'succeeded', 'failed', 'skipped'] as const;
export type ItemState = (typeof itemStates)[number];

/** What a window selects, all of it together. Times are those of receipt: from inclusive, to exclusive. */
export type ReplayFilter = Pick<
  DeliveryFilter,
  'partner' | 'endpointId' | 'status' | 'direction' | 'correlationId' | 'from' | 'to'
> & {
  eventType?: string | undefined;
  outcome?: DeliveryRow['outcome'] | undefined;
};

export type ReplaySelection = { ids: readonly string[] } | { filter: ReplayFilter };

export const replayLimits = {
  /** Ids of one request: about 400 KB of JSON. */
  ids: 10_000,
  defaultRatePerSecond: 100,
  maxRatePerSecond: 1_000,
  /** Replays of a company that may wait for their turn. */
  waitingPerCompany: 20,
  /** Replays of all companies that run at once, single deliveries aside. */
  runningAtOnce: 8,
  /** Deliveries begun in one transaction: about 100 ms of locks. */
  batch: 100,
  /** Deliveries of a selection written down in one transaction. */
  selectionChunk: 10_000,
  /** Deliveries of one replay that wait for their jobs. */
  inFlight: 500,
  /** Due jobs of the installation, those of replays aside, above which live traffic goes first: about two seconds of it. */
  liveBacklog: 10_000,
  /** A step that fails for so long ends the replay; it can be resumed. */
  failingMs: 15 * 60_000,
  /** A job that has said nothing for so long is no longer waited for. */
  silentMs: 3_600_000,
  /** How long the single deliveries of an ended replay can be looked at. */
  itemsKeptDays: 30,
} as const;

/** A replay's row as the steps need it. */
export type Replay = {
  id: string;
  companyId: string;
  kind: ReplayKind;
  state: ReplayState;
  filter: ReplayFilter | null;
  includeSucceeded: boolean;
  ratePerSecond: number;
  actorKind: AuditActor['kind'];
  actorId: string;
  requestId: string;
  reason: string | null;
  snapshotAt: Date;
  isSelected: boolean;
  workedTo: string | null;
  selected: number;
  inFlight: number;
  succeeded: number;
  failed: number;
  skipped: number;
  heldBy: 'live_traffic' | 'own_deliveries' | null;
  failingSince: Date | null;
  lastError: string | null;
  workedMs: number;
  rateUsedTo: Date | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  updatedAt: Date;
};

/** How the deliveries of one step ended. */
export type Tally = { succeeded: number; failed: number; skipped: number };
export const noTally: Tally = { succeeded: 0, failed: 0, skipped: 0 };

export const addTallies = (a: Tally, b: Tally): Tally => ({
  succeeded: a.succeeded + b.succeeded,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});

/** Counts the states in which items ended; those that have not ended count nowhere. */
export const tallyOf = (items: readonly { state: ItemState }[]): Tally => {
  const count = (state: ItemState): number => items.filter((item) => item.state === state).length;
  return { succeeded: count('succeeded'), failed: count('failed'), skipped: count('skipped') };
};
