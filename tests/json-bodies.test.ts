import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestHub, type TestHub } from './support/test-hub.ts';

let hub: TestHub;
let key: string;
beforeAll(async () => {
  hub = await createTestHub();
  key = (await hub.key(await hub.company())).key;
});
afterAll(() => hub.close());

const make = async (body: Buffer, headers: Record<string, string> = {}) => {
  const answer = await hub.call('POST', '/admin/api-keys', {
    key,
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  const problem = answer.json<{ code?: string; errors?: unknown }>();
  return { status: answer.statusCode, code: problem.code, errors: problem.errors };
};
const named = (name: Buffer): Buffer =>
  Buffer.concat([Buffer.from('{"environment":"live","scopes":["data:read"],"name":"'), name, Buffer.from('"}')]);

test.each([
  ['bytes of another encoding', Buffer.from([0xff, 0xfe])],
  ['half a character', Buffer.from('ä').subarray(0, 1)],
  ['half a surrogate pair', Buffer.from([0xed, 0xa0, 0x80])],
  ['an overlong character', Buffer.from([0xc0, 0xaf])],
])('%s is refused rather than replaced', async (_what, name) => {
  expect(await make(named(name))).toEqual({
    status: 400,
    code: 'request.body_unreadable',
    errors: [{ pointer: '/body', detail: 'Is not valid UTF-8.' }],
  });
});

test('two bodies that differ only there do not count as one request', async () => {
  const headers = { 'idempotency-key': crypto.randomUUID() };
  expect((await make(named(Buffer.from([0xff])), headers)).status).toBe(400);
  expect((await make(named(Buffer.from([0xfe])), headers)).status).toBe(400);
  expect((await make(named(Buffer.from('Zoë')), headers)).status).toBe(201);
});

test.each(['__proto__', '\\u005f_proto__'])('the name %s, which would reach into objects, is refused', async (name) => {
  expect(await make(Buffer.from(`{"name":"k","${name}":{"a":1}}`))).toMatchObject({
    code: 'request.body_unreadable',
  });
});

test('a name that is given twice is refused and named: two readers would take different values', async () => {
  const body = '{"name":"k","environment":"live","scopes":["data:read"],"metadata":{"a":"1","a":"2"}}';
  expect(await make(Buffer.from(body))).toEqual({
    status: 400,
    code: 'request.invalid',
    errors: [{ pointer: '/body/metadata/a', detail: 'Is given more than once.' }],
  });
});

test('a compressed body is refused, and the answer says what is taken', async () => {
  for (const url of ['/admin/api-keys', '/admin/api-keys/AbsentKey000/rotate']) {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const answer = await hub.call('POST', url, { key, headers, body: Buffer.from([0x1f, 0x8b, 8, 0]) });
    expect([answer.statusCode, answer.headers['accept-encoding']]).toEqual([415, 'identity']);
    expect(answer.json()).toMatchObject({
      code: 'request.unsupported_media_type',
      errors: [{ pointer: '/headers/content-encoding' }],
    });
  }
});

test('the limit of metadata counts bytes', async () => {
  const metadata = (letter: string) =>
    Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((n) => [n, letter.repeat(500)]));
  const body = (letter: string) =>
    Buffer.from(JSON.stringify({ name: 'k', environment: 'live', scopes: ['data:read'], metadata: metadata(letter) }));
  expect((await make(body('u'))).status).toBe(201);
  expect(await make(body('ü'))).toMatchObject({ status: 400, errors: [{ pointer: '/body/metadata' }] });
});
