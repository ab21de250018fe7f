import { randomUUID } from 'node:crypto';
import { createRandom } from './chaos-random.ts';

/** One change that somebody wants made once: an API key of a name nobody else uses. */
export type WantedChange = {
  name: string;
  idempotencyKey: string;
  /** Bodies of all answers of 201, however often it was sent. */
  bodies: Set<string>;
  replays: number;
};

export type Callers = {
  changes: readonly WantedChange[];
  /** Answers by status; `none` when the connection broke. */
  answers: ReadonlyMap<string, number>;
  /** Lets every caller finish what it has begun. */
  stop(): Promise<void>;
};

type Options = { urls: () => readonly string[]; apiKey: string; seed: number; callerCount: number };

const pauseMs = 30;
const answerTimeoutMs = 10_000;

/** Sends the change once. @returns the status, or `none` without an answer */
export const sendChange = async (url: string, apiKey: string, change: WantedChange): Promise<string> => {
  try {
    const response = await fetch(`${url}/admin/api-keys`, {
      method: 'POST',
      headers: { 'x-api-key': apiKey, 'content-type': 'application/json', 'idempotency-key': change.idempotencyKey },
      body: JSON.stringify({ name: change.name, environment: 'live', scopes: ['data:read'] }),
      signal: AbortSignal.timeout(answerTimeoutMs),
    });
    const body = await response.text();
    if (response.status === 201) change.bodies.add(body);
    if (response.headers.get('x-idempotency-replayed') === 'true') change.replays += 1;
    return String(response.status);
  } catch {
    return 'none';
  }
};

export const newChange = (): WantedChange => ({
  name: `wanted ${randomUUID()}`,
  idempotencyKey: randomUUID(),
  bodies: new Set(),
  replays: 0,
});

/**
 * Starts callers that each want one change after the other, send it to any of the processes, now and then to two at
 * once, and send it again with the same Idempotency-Key until one answers with 201.
 */
export const startCallers = ({ urls, apiKey, seed, callerCount }: Options): Callers => {
  const changes: WantedChange[] = [];
  const answers = new Map<string, number>();
  let stopped = false;
  const run = async (caller: number): Promise<void> => {
    const random = createRandom(seed * 1_000 + caller);
    while (!stopped) {
      const change = newChange();
      changes.push(change);
      while (change.bodies.size === 0) {
        const copies = random.next() < 0.2 ? 2 : 1;
        const sendings = Array.from({ length: copies }, () => sendChange(random.pick(urls()), apiKey, change));
        for (const status of await Promise.all(sendings)) answers.set(status, (answers.get(status) ?? 0) + 1);
        if (change.bodies.size === 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  };
  const running = Array.from({ length: callerCount }, (_, caller) => run(caller));
  return {
    changes,
    answers,
    stop: async () => {
      stopped = true;
      await Promise.all(running);
    },
  };
};
