import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { resolve } from 'node:path';
import { inspectApiKey } from '@impact-hub/api-keys/key-format';
import { credentialsFile, readCredentials } from '../../credentials.ts';
import { CommandError, UsageError } from './command-errors.ts';
import type { Words } from './explain-problem.ts';

/** Where the hub is and with which key to call it. A key is never an argument: `ps` would show it to everybody. */
export type Connection = { url?: string | undefined; apiKeyFile?: string | undefined };

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export type HubClient = {
  /** @throws CommandError in plain sentences when the hub does not answer or refuses */
  call<T>(method: Method, path: string, body?: object): Promise<T>;
};

const answerWithinMs = 30_000;

const present = (value: string | undefined): string | undefined => (value === '' ? undefined : value);

const readKeyFile = async (file: string): Promise<string> => {
  if (file === '-') return text(process.stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new UsageError(`The file of the API key, ${file}, cannot be read (${code}).`, { cause: error });
  }
};

/** Where `npm start` keeps what it writes. */
export const dataDirOf = (environment: NodeJS.ProcessEnv): string =>
  resolve(present(environment['HUB_DATA_DIR']) ?? '.hub');

const goodUrl = (url: string): string => {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.username !== '' || parsed.password !== '')
    throw new UsageError('The address of the hub must look like https://hub.example.org, without a name or password.');
  return parsed.href.replace(/\/+$/, '');
};

const goodKey = (key: string): string => {
  if (inspectApiKey(key) !== 'well_formed')
    throw new UsageError(
      'What was given as API key is none: it must begin with teei_live_ or teei_test_ and be whole.',
    );
  return key;
};

/** Flags first, then HUB_URL and HUB_API_KEY, then what `npm start` wrote. @throws UsageError naming what is missing */
const findHub = async (
  connection: Connection,
  environment: NodeJS.ProcessEnv,
): Promise<{ url: string; key: string }> => {
  const { url = present(environment['HUB_URL']), apiKeyFile } = connection;
  const given = apiKeyFile === undefined ? present(environment['HUB_API_KEY']) : await readKeyFile(apiKeyFile);
  if (url !== undefined && given !== undefined) return { url: goodUrl(url), key: goodKey(given.trim()) };
  const dataDir = dataDirOf(environment);
  const credentials = await readCredentials(dataDir);
  if (credentials === undefined)
    throw new UsageError(
      `Say where the hub is and with which key: --url and --api-key-file, or HUB_URL and HUB_API_KEY.` +
        ` There is no ${credentialsFile(dataDir)} to read them from.`,
    );
  // A key goes only to the hub it is for.
  if (url !== undefined && goodUrl(url) !== goodUrl(credentials.baseUrl))
    throw new UsageError(`Give the key for ${goodUrl(url)} too, by --api-key-file or HUB_API_KEY.`);
  return { url: goodUrl(url ?? credentials.baseUrl), key: goodKey((given ?? credentials.apiKey).trim()) };
};

const readAnswer = async (response: Response, url: string, path: string, words: Words): Promise<unknown> => {
  if (response.status === 204) return undefined;
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body;
  const { explainProblem } = await import('./explain-problem.ts');
  const { status, headers } = response;
  throw new CommandError(explainProblem({ status, body, url, path, retryAfter: headers.get('retry-after') }, words));
};

/** A client of the running hub's public API. @throws UsageError when address or key are missing or malformed */
export const connectHub = async (
  connection: Connection,
  environment: NodeJS.ProcessEnv,
  words: Words,
): Promise<HubClient> => {
  const { url, key } = await findHub(connection, environment);
  return {
    call: async <T>(method: Method, path: string, body?: object) => {
      const init: RequestInit = {
        method,
        redirect: 'error',
        signal: AbortSignal.timeout(answerWithinMs),
        headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      };
      const response = await fetch(`${url}${path}`, init).catch((cause: unknown) => {
        throw new CommandError(
          `The hub does not answer at ${url}. Start it with: npm start, or give its address by --url.`,
          {
            cause,
          },
        );
      });
      return (await readAnswer(response, url, path, words)) as T;
    },
  };
};
