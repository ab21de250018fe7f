import { setTimeout as pause } from 'node:timers/promises';
import { presentKey, type Presenter } from './present-key.ts';

/** Asks for a scope that the keys lack: 403 says that a key was accepted, at the cost of nothing but its check. */
export const racePath = '/api/v1/audit/events';

/** One request to end a key. Resolves with the answer's arrival, the acknowledgement. */
export type EndKey = (keyId: string) => Promise<void>;

export type RaceKey = { key: string; keyId: string };

/**
 * What came of one key: by process, how many ms after the acknowledgement the last request was sent that was still
 * accepted (0 when none was sent after it), and how many were accepted at all.
 */
export type RaceResult = { latenessMs: number[]; accepted: number[] };

const givenUpAfterMs = 10_000;
/** From the first refusals on, to see whether acceptances come back. */
const watchedForMs = 30;

const until = async (condition: () => boolean, what: string): Promise<void> => {
  const startedAtMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedAtMs > givenUpAfterMs) throw new Error(`${what}: not within ${givenUpAfterMs} ms`);
    await pause(2);
  }
};

let addresses = 0;
/** An address of its own for every key, so that the limits of one address stay out of the measurement. */
const nextAddress = (): string => {
  addresses += 1;
  return `10.${(addresses >> 16) & 255}.${(addresses >> 8) & 255}.${addresses & 255}`;
};

const resultOf = (presenters: readonly Presenter[], acknowledgedAtMs: number): RaceResult => ({
  latenessMs: presenters.map(({ lastAcceptedSentAtMs }) => Math.max(0, lastAcceptedSentAtMs - acknowledgedAtMs)),
  accepted: presenters.map(({ accepted }) => accepted),
});

/**
 * Ends a key that all processes have cached and are being called with, and watches until all refuse it.
 * @param pauseMs between the calls of a process, so that many keys can be raced at once
 */
export const raceWarmKey = async (
  ports: readonly number[],
  { key, keyId }: RaceKey,
  end: EndKey,
  pauseMs = 0,
): Promise<RaceResult> => {
  const from = nextAddress();
  const presenters = ports.map((port) => presentKey(port, racePath, key, from, pauseMs));
  try {
    await until(() => presenters.every(({ accepted }) => accepted >= 3), 'a good key accepted by every process');
    await end(keyId);
    const acknowledgedAtMs = performance.now();
    await until(() => presenters.every(({ refused }) => refused >= 3), 'an ended key refused by every process');
    await pause(watchedForMs);
    return resultOf(presenters, acknowledgedAtMs);
  } finally {
    for (const presenter of presenters) presenter.stop();
  }
};

const connectionsPerProcess = 3;

/** Ends a key while every process reads it for the first time, so that each read races the change. */
export const raceColdKey = async (
  ports: readonly number[],
  { key, keyId }: RaceKey,
  end: EndKey,
  delayMs: number,
): Promise<RaceResult> => {
  const from = nextAddress();
  const ending = end(keyId).then(() => performance.now());
  if (delayMs > 0) await pause(delayMs);
  const byProcess = ports.map((port) =>
    Array.from({ length: connectionsPerProcess }, () => presentKey(port, racePath, key, from)),
  );
  try {
    const acknowledgedAtMs = await ending;
    await until(() => byProcess.flat().every(({ refused }) => refused >= 3), 'an ended key refused by every process');
    await pause(watchedForMs);
    const results = byProcess.map((presenters) => resultOf(presenters, acknowledgedAtMs));
    return {
      latenessMs: results.map(({ latenessMs }) => Math.max(...latenessMs)),
      accepted: results.map(({ accepted }) => accepted.reduce((sum, count) => sum + count, 0)),
    };
  } finally {
    for (const presenter of byProcess.flat()) presenter.stop();
  }
};

/** How many of the keys some process still accepts. */
export const countAccepted = async (ports: readonly number[], keys: readonly RaceKey[]): Promise<number> => {
  let accepted = 0;
  for (const { key } of keys)
    for (const port of ports) {
      const headers = { 'x-api-key': key, 'x-forwarded-for': nextAddress() };
      const { status } = await fetch(`http://127.0.0.1:${port}${racePath}`, { headers });
      if (status !== 401) accepted += 1;
    }
  return accepted;
};
