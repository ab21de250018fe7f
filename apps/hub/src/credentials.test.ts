import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
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
  companyId: 'c',
  apiKey: 'k',
  endpoints: [
    { partner: 'goodera', endpointId: 'e', url: 'http://127.0.0.1:3000/webhooks/goodera/e', scheme: 's', secret: 'x' },
  ],
};

let directory: string;
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
