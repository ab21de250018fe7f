import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export type EndpointCredentials = { partner: string; endpointId: string; url: string; scheme: string } & (
  | { secret: string }
  | { clientId: string; clientSecret: string }
);

/** Everything a newcomer needs to call the embedded installation; written once, mode 0600. */
export type Credentials = {
  baseUrl: string;
  admin: { email: string; password: string };
  companyId: string;
  apiKey: string;
  endpoints: EndpointCredentials[];
};

export const credentialsFile = (dataDir: string): string => join(dataDir, 'credentials.json');
const pendingFile = (dataDir: string): string => `${credentialsFile(dataDir)}.pending`;

const write = async (file: string, credentials: Credentials): Promise<void> => {
  await mkdir(dirname(file), { recursive: true });
  // Under another name first: a crash in the middle must not cost the only copy.
  const draft = `${file}.draft`;
  await rm(draft, { force: true });
  await writeFile(draft, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600, flush: true });
  await rename(draft, file);
};

/**
 * Written before the transaction that creates what it names commits; `confirmCredentials` gives it its final name
 * afterwards. A crash in between therefore loses nothing: the next start finds the company and confirms the file.
 */
export const writePendingCredentials = (dataDir: string, credentials: Credentials): Promise<void> =>
  write(pendingFile(dataDir), credentials);

/** Gives the pending file its final name. */
export const confirmCredentials = (dataDir: string): Promise<void> =>
  rename(pendingFile(dataDir), credentialsFile(dataDir));

const readText = (file: string): Promise<string | undefined> => readFile(file, 'utf8').catch(() => undefined);

const read = async (file: string): Promise<Credentials | undefined> => {
  try {
    const content: unknown = JSON.parse((await readText(file)) ?? '');
    return typeof content === 'object' && content !== null ? (content as Credentials) : undefined;
  } catch {
    return undefined;
  }
};

/** @returns undefined when the file cannot be read */
export const readCredentialsText = (dataDir: string): Promise<string | undefined> => readText(credentialsFile(dataDir));

/** Whether its fields are good is for the reader to see. @returns undefined when there is no file with a JSON object */
export const readCredentials = (dataDir: string): Promise<Credentials | undefined> => read(credentialsFile(dataDir));

/** @returns undefined unless a first start was interrupted */
export const readPendingCredentials = (dataDir: string): Promise<Credentials | undefined> => read(pendingFile(dataDir));

/** Brings the addresses up to date when the hub now listens elsewhere; secrets stay as they are. */
export const updateBaseUrl = async (dataDir: string, baseUrl: string): Promise<void> => {
  const credentials = await readCredentials(dataDir);
  if (credentials === undefined || credentials.baseUrl === baseUrl) return;
  const moved = (url: string): string => `${baseUrl}${url.slice(credentials.baseUrl.length)}`;
  await write(credentialsFile(dataDir), {
    ...credentials,
    baseUrl,
    endpoints: credentials.endpoints.map((endpoint) => ({ ...endpoint, url: moved(endpoint.url) })),
  });
};

type Proof = { secret: string } | { clientId: string; clientSecret: string };

/**
 * Keeps the new secret of an endpoint that the file lists, or takes the endpoint out of it: what is there must be good,
 * for commands play partners with it.
 *
 * @param proof the new secret; undefined when the endpoint is no more
 * @returns whether the file lists the endpoint and was written
 */
export const keepEndpoint = async (dataDir: string, endpointId: string, proof: Proof | undefined): Promise<boolean> => {
  const credentials = await readCredentials(dataDir);
  const listed = Array.isArray(credentials?.endpoints) ? credentials.endpoints : [];
  if (credentials === undefined || !listed.some((each) => each.endpointId === endpointId)) return false;
  const endpoints = listed.flatMap((each) => {
    if (each.endpointId !== endpointId) return [each];
    return proof === undefined ? [] : [{ ...each, ...proof }];
  });
  await write(credentialsFile(dataDir), { ...credentials, endpoints });
  return true;
};
