import type { Clock } from '../clock.ts';
import type { BreakerOptions } from './breaker-options.ts';
import { createCallWindow, type CallCounts, type CallWindow } from './call-window.ts';

export type CircuitState = 'closed' | 'open' | 'half_open';

/** Leave to make one call. Exactly one of the three is called when the call has ended. */
export type Permit = {
  success(): void;
  failure(): void;
  /** The call says nothing about the dependency, for example because our own caller went away. */
  cancel(): void;
};

/** What other processes are told; durations instead of times, because their clocks differ. */
export type CircuitNews =
  | { state: 'closed' }
  | { state: 'open'; remainingMs: number }
  /** `probeMs`: how long others leave the probing to the sender; 0 when its probe has ended. */
  | { state: 'half_open'; successes: number; probeMs: number };

/** The dependency is not called for now. */
export class BreakerOpenError extends Error {
  override readonly name = 'BreakerOpenError';
  readonly breaker: string;
  readonly retryAfterMs: number;
  constructor(breaker: string, retryAfterMs: number) {
    super(`${breaker} is not called for another ${retryAfterMs} ms after repeated failures`);
    this.breaker = breaker;
    this.retryAfterMs = retryAfterMs;
  }
}

export type CircuitView = CallCounts & {
  state: CircuitState;
  /** 0 unless open. */
  retryAfterMs: number;
  /** Good probes so far, while half-open. */
  successes: number;
  /** What was counted when it opened, until it closes; null while closed, or when another process opened it. */
  openedBy: CallCounts | null;
  /** Whether a probe is under way, here or in another process. */
  isProbing: boolean;
};

export type Circuit = {
  /** @throws BreakerOpenError */
  permit(): Permit;
  view(): CircuitView;
  /** Takes over what another process found out. */
  adopt(news: CircuitNews): void;
  /** Closes the circuit, whatever it was, and forgets the failures. */
  reset(): void;
};

type Deps = {
  name: string;
  options: BreakerOptions;
  clock: Clock;
  onTransition(from: CircuitState, to: CircuitState): void;
  /** Hears of what this process found out itself, never of what it adopted. */
  onNews(news: CircuitNews): void;
};

type Inner = Deps & {
  window: CallWindow;
  state: CircuitState;
  openUntilMs: number;
  /** Probes under way and when they started. */
  probes: Map<Permit, number>;
  othersProbeUntilMs: number;
  successes: number;
  openedBy: CallCounts | null;
  /** One object for all calls until the next transition, because closed is how circuits are nearly always. */
  closedPermit: Permit;
};

/** When somebody else's probe decides, its answer is usually there within a second. */
const awaitProbeMs = 1_000;

const enter = (inner: Inner, next: CircuitState): void => {
  const from = inner.state;
  inner.state = next;
  inner.window.clear();
  inner.probes.clear();
  inner.successes = 0;
  inner.othersProbeUntilMs = 0;
  if (next === 'closed') inner.openedBy = null;
  inner.closedPermit = makeClosedPermit(inner);
  if (from !== next) inner.onTransition(from, next);
};

const open = (inner: Inner): void => {
  // A failed probe opens again for the first reason: its own window is empty.
  if (inner.state === 'closed') inner.openedBy = inner.window.counts(inner.clock.nowMs());
  enter(inner, 'open');
  inner.openUntilMs = inner.clock.nowMs() + inner.options.openMs;
  inner.onNews({ state: 'open', remainingMs: inner.options.openMs });
};

const close = (inner: Inner): void => {
  enter(inner, 'closed');
  inner.onNews({ state: 'closed' });
};

function makeClosedPermit(inner: Inner): Permit {
  const permit: Permit = {
    success: () => {
      if (permit === inner.closedPermit) inner.window.record(inner.clock.nowMs(), false);
    },
    failure: () => {
      if (permit === inner.closedPermit && inner.window.record(inner.clock.nowMs(), true)) open(inner);
    },
    cancel: () => undefined,
  };
  return permit;
}

const makeProbe = (inner: Inner, nowMs: number): Permit => {
  const { probes, options, onNews } = inner;
  const tellEnd = (): void => onNews({ state: 'half_open', successes: inner.successes, probeMs: 0 });
  const probe: Permit = {
    success: () => {
      if (!probes.delete(probe)) return;
      inner.successes += 1;
      if (inner.successes >= options.successThreshold) close(inner);
      else tellEnd();
    },
    failure: () => {
      if (probes.delete(probe)) open(inner);
    },
    cancel: () => {
      if (probes.delete(probe)) tellEnd();
    },
  };
  probes.set(probe, nowMs);
  onNews({ state: 'half_open', successes: inner.successes, probeMs: options.probeTimeoutMs });
  return probe;
};

const settle = (inner: Inner, nowMs: number): void => {
  if (inner.state === 'open' && nowMs >= inner.openUntilMs) enter(inner, 'half_open');
};

const admit = (inner: Inner): Permit => {
  if (inner.state === 'closed') return inner.closedPermit;
  const nowMs = inner.clock.nowMs();
  settle(inner, nowMs);
  if (inner.state === 'open') throw new BreakerOpenError(inner.name, inner.openUntilMs - nowMs);
  const { probes, options } = inner;
  for (const [probe, startedMs] of probes) if (nowMs - startedMs >= options.probeTimeoutMs) probes.delete(probe);
  if (probes.size >= options.maxProbes || nowMs < inner.othersProbeUntilMs)
    throw new BreakerOpenError(inner.name, awaitProbeMs);
  return makeProbe(inner, nowMs);
};

const adopt = (inner: Inner, news: CircuitNews): void => {
  const nowMs = inner.clock.nowMs();
  if (news.state === 'open') {
    if (inner.state !== 'open') enter(inner, 'open');
    inner.openUntilMs = nowMs + news.remainingMs;
  } else if (news.state === 'closed') {
    if (inner.state !== 'closed') enter(inner, 'closed');
  } else if (inner.state !== 'closed') {
    if (inner.state === 'open') enter(inner, 'half_open');
    inner.successes = Math.max(inner.successes, news.successes);
    inner.othersProbeUntilMs = nowMs + news.probeMs;
  }
};

const view = (inner: Inner): CircuitView => {
  const nowMs = inner.clock.nowMs();
  settle(inner, nowMs);
  const { state, successes, openedBy } = inner;
  const retryAfterMs = state === 'open' ? inner.openUntilMs - nowMs : 0;
  const isProbing = inner.probes.size > 0 || nowMs < inner.othersProbeUntilMs;
  return { state, retryAfterMs, successes, openedBy, isProbing, ...inner.window.counts(nowMs) };
};

/**
 * One circuit: closed until the failures within the window are too many, then open, then half-open, when probes decide.
 * Results of calls from before the last transition are ignored: they tell of a state that is past.
 */
export const createCircuit = (deps: Deps): Circuit => {
  const inner: Inner = {
    ...deps,
    window: createCallWindow(deps.options),
    state: 'closed',
    openUntilMs: 0,
    probes: new Map(),
    othersProbeUntilMs: 0,
    successes: 0,
    openedBy: null,
    closedPermit: { success: () => undefined, failure: () => undefined, cancel: () => undefined },
  };
  inner.closedPermit = makeClosedPermit(inner);
  return {
    permit: () => admit(inner),
    view: () => view(inner),
    adopt: (news) => adopt(inner, news),
    reset: () => close(inner),
  };
};
