import type { ReplayState } from './replay.ts';

/** A pure model of replays of one company, written apart from the code: what has to be true after each thing that happens. */
export type ModelDelivery = { isProcessed: boolean; attempts: number; hasJob: boolean };
export type ModelItem = { state: 'selected' | 'started' | 'succeeded'; attemptsBefore: number };
export type ModelReplay = { state: ReplayState; items: Map<string, ModelItem> };
export type Model = { deliveries: Map<string, ModelDelivery>; replays: Map<string, ModelReplay>; audited: number };

const copy = (model: Model): Model => structuredClone(model);

/** What each state becomes when it is asked to, by the names of the routes; what is not listed is refused. */
const table: Record<string, Partial<Record<ReplayState, ReplayState>>> = {
  pause: { waiting: 'paused', running: 'paused', paused: 'paused' },
  resume: { paused: 'waiting', failed: 'waiting', waiting: 'waiting', running: 'running' },
  cancel: {
    waiting: 'cancelled',
    running: 'cancelled',
    paused: 'cancelled',
    failed: 'cancelled',
    cancelled: 'cancelled',
  },
};

/** @returns undefined when it is refused */
export const changed = (state: ReplayState, verb: string): ReplayState | undefined => table[verb]?.[state];

const begin = (model: Model, replay: ModelReplay): void => {
  for (const [id, item] of replay.items) {
    const delivery = model.deliveries.get(id);
    if (item.state !== 'selected' || delivery === undefined) continue;
    model.audited += 1;
    item.attemptsBefore = delivery.attempts;
    item.state = delivery.isProcessed ? 'succeeded' : 'started';
    if (delivery.isProcessed) delivery.attempts += 1;
    else delivery.hasJob = true;
  }
};

/** One step of one replay: all of it, or nothing. */
export const stepped = (before: Model, replayId: string, mayStart: boolean): Model => {
  const model = copy(before);
  const replay = model.replays.get(replayId);
  if (replay === undefined) return model;
  for (const [id, item] of replay.items)
    if (item.state === 'started' && (model.deliveries.get(id)?.attempts ?? 0) > item.attemptsBefore)
      item.state = 'succeeded';
  if (replay.state === 'waiting' && mayStart) replay.state = 'running';
  if (replay.state !== 'running') return model;
  begin(model, replay);
  if ([...replay.items.values()].every(({ state }) => state === 'succeeded')) replay.state = 'done';
  return model;
};

/** The one that may leave the queue: the oldest, if none is running. */
export const nextToStart = (model: Model): string | undefined => {
  const entries = [...model.replays];
  if (entries.some(([, { state }]) => state === 'running')) return undefined;
  return entries.find(([, { state }]) => state === 'waiting')?.[0];
};

/** All jobs run, and succeed. */
export const afterJobs = (before: Model): Model => {
  const model = copy(before);
  for (const delivery of model.deliveries.values())
    if (delivery.hasJob) Object.assign(delivery, { hasJob: false, isProcessed: true, attempts: delivery.attempts + 1 });
  return model;
};
