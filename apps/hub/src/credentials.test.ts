import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeDamage } from './check-credentials.ts';
import {
  confirmCredentials,
  credentialsFile,
  readCredentials,
  readPendingCredentials,
  updateBaseUrl,
  writePendingCredentials,
  type Credentials,
} from './credentials.ts';

const credentials: Credentials = {
  baseUrl: 'http://127.0.0.1:3000',
  admin: { email: 'a@b.example', password: 'p' },
  companyId: '0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3',
  apiKey: 'k',
  endpoints: [
    { partner: 'goodera', endpointId: 'e', url: 'http://127.0.0.1:3000/webhooks/goodera/e', scheme: 's', secret: 'x' },
  ],
};

let directory: string;
const put = (text: string): Promise<void> => writeFile(credentialsFile(directory), text);
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hub-credentials-'));
});
afterEach(() => rm(directory, { recursive: true }));

test('credentials appear only once confirmed, readable by their owner only', async () => {
  await writePendingCredentials(directory, credentials);
  expect(await readCredentials(directory)).toBeUndefined();
  expect(await readPendingCredentials(directory)).toEqual(credentials);
  await confirmCredentials(directory);
  expect(await readCredentials(directory)).toEqual(credentials);
  expect(await readPendingCredentials(directory)).toBeUndefined();
  expect((await stat(credentialsFile(directory))).mode & 0o777).toBe(0o600);
});

test('a new address reaches every URL and changes no secret', async () => {
  await writePendingCredentials(directory, credentials);
  await confirmCredentials(directory);
  await updateBaseUrl(directory, 'https://hub.example');
  const updated = await readCredentials(directory);
  expect(updated?.endpoints[0]?.url).toBe('https://hub.example/webhooks/goodera/e');
  expect(updated).toMatchObject({ baseUrl: 'https://hub.example', apiKey: 'k', admin: credentials.admin });
});

test('a file that somebody has damaged is told of in one sentence, and is no credentials', async () => {
  expect(await describeDamage(directory)).toBeUndefined();
  await put(JSON.stringify(credentials));
  expect(await describeDamage(directory)).toBeUndefined();
  for (const [text, what] of [
    ['{"baseUrl": "http://12', 'it is no JSON'],
    ['', 'it is no JSON'],
    ['null', 'all of it'],
    ['[]', 'all of it'],
    [JSON.stringify({ ...credentials, companyId: 'mine' }), 'companyId'],
    [JSON.stringify({ ...credentials, endpoints: [{}] }), 'endpoints.0.url'],
    [JSON.stringify({ ...credentials, baseUrl: 7 }), 'baseUrl'],
  ] as const) {
    await put(text);
    expect(await describeDamage(directory)).toContain(`credentials.json is damaged (${what}`);
  }
  for (const text of ['', 'null', '7']) {
    await put(text);
    expect(await readCredentials(directory)).toBeUndefined();
  }
});
