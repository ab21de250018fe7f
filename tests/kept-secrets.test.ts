import { createLogger } from '@impact-hub/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestHub, type Method, type TestHub } from './support/test-hub.ts';

const lines: string[] = [];
let hub: TestHub;
/** The key that gets into places where it does not belong. */
let leaked: string;
let companyId: string;
beforeAll(async () => {
  hub = await createTestHub(createLogger({ level: 'debug' }, { write: (line) => void lines.push(line) }));
  companyId = await hub.company();
  leaked = (await hub.key(companyId)).key;
});
afterAll(() => hub.close());

const ask = async (method: Method, url: string, body: unknown, headers: Record<string, string> = {}) => {
  const answer = await hub.call(method, url, {
    key: leaked,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const problem = answer.json<{ keyId?: string; id?: string; errors?: { pointer: string; detail: string }[] }>();
  return { ...problem, status: answer.statusCode, text: answer.body };
};

/** Every row of every table as text, bytes in hexadecimal. */
const everythingStored = async (): Promise<string> => {
  const { owner } = hub.database;
  const tables = await owner<{ name: string }[]>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema')`;
  const texts: string[] = [];
  for (const { name } of tables)
    for (const { row } of await owner<{ row: string }[]>`
      select row_to_json(stored)::text as row from ${owner.unsafe(name)} as stored`)
      texts.push(`${name} ${row}`);
  return texts.join('\n');
};

/** The parts of a key that nobody may see, as text and as the bytes that the audit log keeps. */
const secretParts = (key: string): string[] => {
  const parts = [key.slice(22, 42), key.slice(45, 65)];
  return [...parts, ...parts.map((part) => Buffer.from(part).toString('hex'))];
};

test('a key in a field for people is refused, and the answer names the field', async () => {
  const { keyId } = await hub.key(companyId);
  const text = `for ${leaked}, of Ada`;
  const create = { name: 'k', environment: 'live', scopes: ['data:read'] };
  const endpoint = { partner: 'benevity', name: 'e' };
  const person = { email: 'ada@example.org', name: 'Ada', role: 'viewer' };
  const tried: [Method, string, unknown, string][] = [
    ['POST', '/admin/api-keys', { ...create, name: text }, '/body/name'],
    ['POST', '/admin/api-keys', { ...create, metadata: { note: text } }, '/body/metadata/note'],
    [
      'POST',
      '/admin/api-keys',
      { ...create, metadata: { [leaked.slice(0, 64)]: 1 } },
      `/body/metadata/${leaked.slice(0, 64)}`,
    ],
    ['PATCH', `/admin/api-keys/${keyId}`, { name: text }, '/body/name'],
    ['PATCH', `/admin/api-keys/${keyId}`, { enabled: false, reason: text }, '/body/reason'],
    ['DELETE', `/admin/api-keys/${keyId}`, { reason: text }, '/body/reason'],
    ['POST', `/admin/api-keys/${keyId}/rotate`, { reason: text }, '/body/reason'],
    ['POST', `/admin/api-keys/${keyId}/retire-old`, { reason: text }, '/body/reason'],
    ['POST', '/api/v1/impact-in/endpoints', { ...endpoint, name: text }, '/body/name'],
    ['POST', '/api/v1/impact-in/endpoints', { ...endpoint, hint: text }, '/body/hint'],
    ['POST', '/api/v1/people', { ...person, name: text }, '/body/name'],
  ];
  for (const [method, url, body, pointer] of tried) {
    const answer = await ask(method, url, body);
    expect([method, url, answer.status, answer.errors?.map((error) => error.pointer)]).toEqual([
      method,
      url,
      400,
      [pointer],
    ]);
    expect(answer.errors?.[0]?.detail).toBe('Contains an API key; leave it out.');
  }
});

test('the public id of a key may be named', async () => {
  const { keyId } = await hub.key(companyId);
  const name = `instead of teei_live_${keyId}`;
  expect((await ask('PATCH', `/admin/api-keys/${keyId}`, { name })).status).toBe(200);
});

test('wherever a key is sent, no table and no line of the log has it', async () => {
  const headers = { 'user-agent': `tool/1 (${'x'.repeat(250)}) key=${leaked}`, 'x-request-id': leaked.slice(0, 64) };
  const short = { 'user-agent': `curl X-API-Key:${leaked}`, 'x-request-id': leaked.slice(10) };
  const secretOnly = { 'user-agent': leaked, 'x-request-id': leaked.slice(22, 65), 'idempotency-key': leaked };
  const body = { name: 'k', environment: 'live', scopes: ['data:read'] };
  for (const sent of [headers, short, secretOnly])
    expect((await ask('POST', '/admin/api-keys', body, sent)).status).toBe(201);
  const reports = ['content', leaked].map((source) => ({
    token: leaked,
    type: leaked,
    source,
    url: `https://x.test/?q=${leaked}`,
  }));
  const person = await hub.person(companyId);
  await hub.call('POST', '/api/v1/auth/sign-in', {
    headers: { 'content-type': 'application/json', origin: 'http://hub.test', ...short },
    body: JSON.stringify({ email: person.email, password: 'a long enough password' }),
  });
  await hub.call('GET', `/admin/api-keys/${leaked}?cursor=${leaked}`, { key: leaked, headers });
  await ask('POST', '/api/v1/impact-in/endpoints', { partner: 'benevity', name: 'e' }, headers);
  const used = async () =>
    (await hub.call('GET', '/admin/api-keys', { key: leaked, headers })).json<{
      data: { keyId: string; usage: { lastUserAgent: string | null } }[];
    }>().data;
  const own = async () => (await used()).find(({ keyId }) => leaked.includes(keyId))?.usage.lastUserAgent;
  await expect.poll(own, { timeout: 10_000 }).toContain(`key=teei_live_${leaked.slice(10, 22)}…`);
  expect((await ask('POST', '/api/v1/leaked-keys', reports, headers)).status).toBe(202);
  const [stored, logged] = [await everythingStored(), lines.join('\n')];
  expect(stored).toContain(Buffer.from('curl X-API-Key:teei_live_').toString('hex'));
  for (const part of secretParts(leaked)) {
    expect(stored.split('\n').filter((row) => row.includes(part))).toEqual([]);
    expect(logged.split('\n').filter((line) => line.includes(part))).toEqual([]);
  }
});
