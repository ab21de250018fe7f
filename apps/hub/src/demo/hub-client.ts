import { setTimeout as pause } from 'node:timers/promises';
import { CommandError } from '../commands/hub-api/command-errors.ts';
import type { Credentials } from '../credentials.ts';

export type HubClient = {
  /** @throws CommandError when the hub does not answer or refuses */
  get<T>(path: string): Promise<T>;
  getText(path: string): Promise<string>;
  /** @throws CommandError when the hub does not answer or refuses */
  change<T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<T>;
};

/** Calls the running hub with the key from credentials.json. */
export const hubClient = ({ baseUrl, apiKey }: Pick<Credentials, 'baseUrl' | 'apiKey'>): HubClient => {
  const request = async (method: string, path: string, body?: object): Promise<string> => {
    const headers = { 'x-api-key': apiKey, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(`${baseUrl}${path}`, init).catch((cause: unknown) => {
      throw new CommandError(`The hub does not answer at ${baseUrl}; start it with: npm start`, { cause });
    });
    const text = await response.text();
    if (!response.ok) throw new CommandError(`The hub answered ${response.status} to ${method} ${path}: ${text}`);
    return text;
  };
  return {
    get: async <T>(path: string) => JSON.parse(await request('GET', path)) as T,
    getText: (path) => request('GET', path),
    change: async <T>(method: string, path: string, body?: object) => {
      const text = await request(method, path, body);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
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
