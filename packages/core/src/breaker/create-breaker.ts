import type { Clock } from '../clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { BreakerOptions } from './breaker-options.ts';
import {
  createCircuit,
  type Circuit,
  type CircuitNews,
  type CircuitState,
  type CircuitView,
  type Permit,
} from './circuit.ts';
import { outcomeOf, type CallOutcome, type Ended } from './judge-outcome.ts';

export type CallTotals = Record<CallOutcome | 'refused', number>;

export type BreakerView = CircuitView & {
  name: string;
  /** Failed calls by all calls of the window, 0 to 1; until it closes, of the window that opened it. */
  failureRate: number;
  /** Since this process started. */
  totals: CallTotals;
  transitions: Record<CircuitState, number>;
  lastTransitionAt: Date | null;
  options: BreakerOptions;
};

type RunOptions<T> = { isFailure?(ended: Ended<T>): boolean };

export type Breaker = {
  name: string;
  /**
   * Runs the work if the circuit lets it. Unless `isFailure` decides, failures are errors and answers of status 429 or
   * 5xx; other 4xx are the caller's fault and work aborted by its caller says nothing.
   * @throws BreakerOpenError, or what the work throws
   */
  run<T>(work: () => Promise<T>, options?: RunOptions<T>): Promise<T>;
  /**
   * For callers whose work is not one promise. Report each permit once.
   * @throws BreakerOpenError
   */
  permit(): Permit;
  view(): BreakerView;
  adopt(news: CircuitNews): void;
  reset(): void;
  /** Takes new options; the counts start anew, an open circuit stays open, and one that was probing probes again. */
  configure(options: BreakerOptions): void;
};

type Deps = {
  name: string;
  options: BreakerOptions;
  clock: Clock;
  log: Logger;
  tell(name: string, news: CircuitNews): void;
};

const counting = (permit: Permit, totals: CallTotals): Permit => ({
  success: () => {
    totals.success += 1;
    permit.success();
  },
  failure: () => {
    totals.failure += 1;
    permit.failure();
  },
  cancel: () => {
    totals.cancel += 1;
    permit.cancel();
  },
});

/** A circuit with its counts, its log lines and the judgement of what is a failure. */
export const createBreaker = (deps: Deps): Breaker => {
  const { name, clock, log } = deps;
  let { options } = deps;
  const totals: CallTotals = { success: 0, failure: 0, refused: 0, cancel: 0 };
  const transitions: Record<CircuitState, number> = { closed: 0, open: 0, half_open: 0 };
  let lastTransitionAt: Date | null = null;

  const onTransition = (from: CircuitState, to: CircuitState): void => {
    transitions[to] += 1;
    lastTransitionAt = clock.now();
    log[to === 'open' ? 'warn' : 'info']({ event: 'breaker.changed', breaker: name, from, to }, 'circuit changed');
  };
  const makeCircuit = (): Circuit => {
    // Calls that began under other options still report to the circuit of then; what becomes of it concerns nobody.
    const whileInUse =
      <A extends unknown[]>(work: (...args: A) => void) =>
      (...args: A): void =>
        void (made === circuit && work(...args));
    const made = createCircuit({
      name,
      options,
      clock,
      onTransition: whileInUse(onTransition),
      onNews: whileInUse((news) => deps.tell(name, news)),
    });
    return made;
  };
  let circuit = makeCircuit();
  let plain: Permit | undefined;
  let counted: Permit | undefined;

  const permit = (): Permit => {
    let given;
    try {
      given = circuit.permit();
    } catch (error) {
      totals.refused += 1;
      throw error;
    }
    // The closed circuit gives the same object again and again.
    if (given !== plain || counted === undefined) {
      plain = given;
      counted = counting(given, totals);
    }
    return counted;
  };

  return {
    name,
    permit,
    async run(work, { isFailure } = {}) {
      const leave = permit();
      let value;
      try {
        value = await work();
      } catch (error) {
        leave[outcomeOf({ error }, isFailure)]();
        throw error;
      }
      leave[outcomeOf({ value }, isFailure)]();
      return value;
    },
    view: () => {
      const view = circuit.view();
      const { calls, failures } = view.openedBy ?? view;
      const failureRate = calls === 0 ? 0 : failures / calls;
      return {
        name,
        ...view,
        failureRate,
        totals: { ...totals },
        transitions: { ...transitions },
        lastTransitionAt,
        options,
      };
    },
    adopt: (news) => circuit.adopt(news),
    reset: () => circuit.reset(),
    configure: (given) => {
      if (JSON.stringify(given) === JSON.stringify(options)) return;
      const { state, retryAfterMs } = circuit.view();
      options = given;
      circuit = makeCircuit();
      if (state !== 'closed') circuit.adopt({ state: 'open', remainingMs: Math.min(retryAfterMs, options.openMs) });
    },
  };
};
