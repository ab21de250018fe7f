import { createFairQueue, type Owners } from './fair-queue.ts';

export type TurnLimits = {
  /** Requests that are begun in one turn of the event loop. */
  perLoop: number;
  /** How long a request waits for its turn. */
  deadlineMs: number;
};

/**
 * Beginning 48 requests takes some 3 ms, in which no other request is read. With 128, a sender beside one of ten times its
 * rate waited up to 142 ms (p99), with 48 up to 60 ms, at no less throughput (benchmarks/webhook-fairness.ts).
 */
export const turnLimits: TurnLimits = { perLoop: 48, deadlineMs: 2_000 };

type Waiting = { bytes: number; giveUpAtMs: number; begin(isInTime: boolean): void };

export type Turns = {
  /** Resolves when the request may begin: at once, unless others are waiting. False when it had waited too long. */
  enter(owners: Owners, bytes: number): Promise<boolean> | true;
};

/**
 * Lets requests begin in turns: companies, and their endpoints, whoever has how many connections. What is read from the
 * sockets is otherwise worked on in the order of connections, so that a sender with ten times as many would take ten times
 * as much of a process that is busy, and make the others wait for all of its requests.
 */
export const createTurns = (limits: TurnLimits = turnLimits): Turns => {
  const queue = createFairQueue<Waiting>();
  let begun = 0;
  let planned = false;

  const plan = (): void => {
    if (planned) return;
    planned = true;
    setImmediate(nextLoop);
  };
  const nextLoop = (): void => {
    planned = false;
    begun = 0;
    const nowMs = performance.now();
    for (const waiting of queue.take({ rows: limits.perLoop, bytes: Number.MAX_SAFE_INTEGER })) {
      begun += 1;
      waiting.begin(nowMs < waiting.giveUpAtMs);
    }
    if (begun > 0) plan();
  };

  return {
    enter: (owners, bytes) => {
      plan();
      if (begun < limits.perLoop && queue.size() === 0) {
        begun += 1;
        return true;
      }
      return new Promise((begin) => {
        queue.push(owners, { bytes, giveUpAtMs: performance.now() + limits.deadlineMs, begin });
      });
    },
  };
};
