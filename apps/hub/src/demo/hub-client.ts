import { setTimeout as pause } from 'node:timers/promises';
import { StartError } from '../config/load-settings.ts';
import type { Credentials } from '../credentials.ts';

export type HubClient = {
  /** @throws StartError when the hub does not answer or refuses */
  get<T>(path: string): Promise<T>;
  getText(path: string): Promise<string>;
};

/** Calls the running hub with the key from credentials.json. */
export const hubClient = ({ baseUrl, apiKey }: Credentials): HubClient => {
  const request = async (path: string): Promise<Response> => {
    const response = await fetch(`${baseUrl}${path}`, { headers: { 'x-api-key': apiKey } }).catch((cause: unknown) => {
      throw new StartError(`The hub does not answer at ${baseUrl}; start it with: npm start`, { cause });
    });
    if (!response.ok)
      throw new StartError(`The hub answered ${response.status} to GET ${path}: ${await response.text()}`);
    return response;
  };
  return {
    get: async <T>(path: string) => (await request(path)).json() as Promise<T>,
    getText: async (path) => (await request(path)).text(),
  };
};

/** Asks again until `isDone` or the time is up, and returns the last answer. */
export const pollUntil = async <T>(
  ask: () => Promise<T>,
  isDone: (answer: T) => boolean,
  timeoutMs: number,
): Promise<T> => {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (isDone(answer) || performance.now() > deadlineMs) return answer;
    await pause(50);
  }
};
