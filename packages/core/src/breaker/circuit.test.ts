import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { controlledClock } from '@impact-hub/testkit';
import { breakerOptions, type BreakerOptions } from './breaker-options.ts';
import { BreakerOpenError, createCircuit, type CircuitNews, type CircuitState, type Permit } from './circuit.ts';

/** Written for clarity alone: keeps every event and derives the state from them. */
const referenceCircuit = (options: BreakerOptions) => {
  let state: CircuitState = 'closed';
  let era = 0;
  let failedAtMs: number[] = [];
  let openUntilMs = 0;
  let successes = 0;
  let probing: number[] = [];
  const enter = (next: CircuitState) => {
    state = next;
    era += 1;
    failedAtMs = [];
    successes = 0;
    probing = [];
  };
  const open = (nowMs: number) => {
    enter('open');
    openUntilMs = nowMs + options.openMs;
  };
  const settle = (nowMs: number) => {
    if (state === 'open' && nowMs >= openUntilMs) enter('half_open');
  };
  return {
    state: (nowMs: number) => {
      settle(nowMs);
      return state;
    },
    permit: (nowMs: number): { era: number; startedMs: number } | number => {
      settle(nowMs);
      if (state === 'open') return openUntilMs - nowMs;
      if (state === 'half_open') {
        probing = probing.filter((startedMs) => nowMs - startedMs < options.probeTimeoutMs);
        if (probing.length >= options.maxProbes) return 1_000;
        probing.push(nowMs);
      }
      return { era, startedMs: nowMs };
    },
    report: (nowMs: number, permit: { era: number; startedMs: number }, outcome: keyof Permit) => {
      if (permit.era !== era) return;
      if (state === 'closed') {
        if (outcome !== 'failure') return;
        failedAtMs.push(nowMs);
        const recent = failedAtMs.filter((atMs) => nowMs - atMs < options.failureWindowMs);
        if (recent.length >= options.failureThreshold) open(nowMs);
        return;
      }
      const index = probing.indexOf(permit.startedMs);
      if (index === -1) return;
      probing.splice(index, 1);
      if (outcome === 'failure') open(nowMs);
      if (outcome === 'success') {
        successes += 1;
        if (successes >= options.successThreshold) enter('closed');
      }
    },
    reset: () => enter('closed'),
  };
};

const setUp = (given: Partial<BreakerOptions> = {}) => {
  const clock = controlledClock();
  const news: CircuitNews[] = [];
  const transitions: string[] = [];
  const options = breakerOptions(given);
  const circuit = createCircuit({
    name: 'partner',
    options,
    clock,
    onTransition: (from, to) => transitions.push(`${from} ${to}`),
    onNews: (one) => news.push(one),
  });
  const fail = (times: number) => {
    for (let time = 0; time < times; time += 1) circuit.permit().failure();
  };
  return { clock, news, transitions, circuit, options, fail };
};

const small = fc.record({
  failureThreshold: fc.integer({ min: 1, max: 4 }),
  failureWindowMs: fc.constantFrom(100, 1_000),
  successThreshold: fc.integer({ min: 1, max: 3 }),
  openMs: fc.constantFrom(10, 500),
  maxProbes: fc.integer({ min: 1, max: 2 }),
  probeTimeoutMs: fc.constantFrom(100, 300),
});
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('call' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('report' as const),
      which: fc.nat(20),
      outcome: fc.constantFrom<keyof Permit>('success', 'failure', 'failure', 'cancel'),
    }),
  },
  // Not multiples of anything, so that no two probes start in the same millisecond.
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 7, 93, 200, 499, 1_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const) }) },
);

describe('a circuit', () => {
  it('does what the reference state machine does, whatever is called and reported when', () => {
    fc.assert(
      fc.property(small, fc.array(step, { maxLength: 80 }), (given, steps) => {
        const { clock, circuit, options } = setUp(given);
        const model = referenceCircuit(options);
        const calls: { permit: Permit; expected: { era: number; startedMs: number } }[] = [];
        for (const one of steps) {
          clock.advanceMs(1);
          const nowMs = clock.nowMs();
          if (one.do === 'wait') clock.advanceMs(one.ms);
          if (one.do === 'reset') [circuit, model].forEach(({ reset }) => reset());
          if (one.do === 'call') {
            const expected = model.permit(nowMs);
            if (typeof expected === 'number')
              expect(() => circuit.permit()).toThrow(new BreakerOpenError('partner', expected));
            else calls.push({ permit: circuit.permit(), expected });
          }
          if (one.do === 'report') {
            const [call] = calls.splice(one.which % Math.max(1, calls.length), 1);
            if (call === undefined) continue;
            call.permit[one.outcome]();
            model.report(nowMs, call.expected, one.outcome);
          }
          expect(circuit.view().state).toBe(model.state(clock.nowMs()));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('opens at the fifth failure within ten seconds, for a minute, and closes after two good probes', () => {
    const { clock, circuit, transitions, fail } = setUp();
    fail(4);
    clock.advanceMs(10_000);
    fail(4);
    expect(circuit.view()).toMatchObject({ state: 'closed', failures: 4 });
    fail(1);
    expect(circuit.view()).toMatchObject({ state: 'open', retryAfterMs: 60_000 });
    clock.advanceMs(59_999);
    expect(() => circuit.permit()).toThrow(BreakerOpenError);
    clock.advanceMs(1);
    circuit.permit().success();
    expect(circuit.view().state).toBe('half_open');
    circuit.permit().success();
    expect(circuit.view()).toMatchObject({ state: 'closed', failures: 0 });
    expect(transitions).toEqual(['closed open', 'open half_open', 'half_open closed']);
  });

  it('stays closed for a busy dependency while only a small share of its calls fails', () => {
    const { circuit, fail } = setUp({ minFailureShare: 0.1 });
    for (let call = 0; call < 1_000; call += 1) circuit.permit().success();
    fail(111);
    expect(circuit.view().state).toBe('closed');
    fail(1);
    expect(circuit.view().state).toBe('open');
  });

  it('takes an opening from elsewhere over for the time that is left, and tells nobody again', () => {
    const { clock, circuit, news } = setUp();
    circuit.adopt({ state: 'open', remainingMs: 40_000 });
    clock.advanceMs(39_999);
    expect(() => circuit.permit()).toThrow(new BreakerOpenError('partner', 1));
    expect(news).toEqual([]);
    circuit.adopt({ state: 'closed' });
    circuit.permit().success();
  });

  it('leaves the probing to whoever began it, and counts that probe’s success', () => {
    const { clock, circuit, news } = setUp();
    circuit.adopt({ state: 'open', remainingMs: 10 });
    circuit.adopt({ state: 'half_open', successes: 0, probeMs: 30_000 });
    expect(() => circuit.permit()).toThrow(BreakerOpenError);
    circuit.adopt({ state: 'half_open', successes: 1, probeMs: 0 });
    circuit.permit().success();
    expect(circuit.view().state).toBe('closed');
    expect(news).toEqual([{ state: 'half_open', successes: 1, probeMs: 30_000 }, { state: 'closed' }]);
    clock.advanceMs(1);
    circuit.adopt({ state: 'half_open', successes: 0, probeMs: 30_000 });
    expect(circuit.view().state, 'news of a probe does not reopen what is closed').toBe('closed');
  });
});
