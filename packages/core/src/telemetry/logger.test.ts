import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';
import { redactText } from './redact.ts';

const logged = (fields: object): string => {
  let text = '';
  createLogger({ level: 'info' }, { write: (line) => void (text += line) }).info(fields, 'x');
  return text;
};
const apiKey = `teei_live_Ab3dEf6hIj9k${'s'.repeat(43)}${'c'.repeat(6)}`;

test.each([
  [{ headers: { authorization: 'Bearer hidden-value' } }],
  [{ req: { headers: { cookie: 'session=hidden-value' } } }],
  [{ headers: { 'x-api-key': 'hidden-value' } }],
  [{ headers: { 'set-cookie': 'hidden-value' } }],
  [{ password: 'hidden-value' }],
  [{ body: { secret: 'hidden-value' } }],
  [{ endpoint: { clientSecret: 'hidden-value' } }],
  [{ a: { b: { token: 'hidden-value' } } }],
  [{ a: [{ b: [{ Api_Key: 'hidden-value' }] }] }],
  [{ a: { b: { c: { d: { anything: 'hidden-value' } } } } }],
  [{ TOKEN: { nested: 'hidden-value' } }],
])('secrets are removed by field name: %j', (fields) => {
  expect(logged(fields)).not.toContain('hidden-value');
});

test('secrets inside error messages and stacks are removed by shape', () => {
  const text = logged({
    err: new Error(`refused ${apiKey} at postgres://hub:s3cret@host/db with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`),
  });
  expect(text).not.toMatch(/sssss|s3cret|MfKQ9r8G/);
  expect(text).toContain('teei_live_Ab3dEf6hIj9k…');
});

test.each(['hubcs', 'hubpw', 'hubut', 'hubht'])('secrets that the hub made are removed: %s', (prefix) => {
  const text = logged({ err: new Error(`no answer from https://hub.test/?token=${prefix}_${'Ab3-_'.repeat(8)}`) });
  expect(text).not.toContain('Ab3-');
  expect(text).toContain(`${prefix}_…`);
});

test('what drivers hang on errors (query, parameters) is not logged', () => {
  const error = Object.assign(new Error('duplicate key'), {
    query: 'insert …',
    parameters: ['person@example.org'],
    code: '23505',
  });
  const text = logged({ err: error });
  expect(text).not.toContain('person@example.org');
  expect(text).toContain('23505');
});

test('the parameters of a failed query are not logged, its text and cause are', async () => {
  const { DrizzleQueryError } = await import('drizzle-orm');
  const cause = Object.assign(new Error('duplicate key value violates unique constraint'), { code: '23505' });
  const text = logged({
    err: new DrizzleQueryError('insert into person values ($1, $2)', ['ada@example.org', 'Ada\nB'], cause),
  });
  expect(text).not.toMatch(/ada@example|Ada/);
  expect(text).toContain('insert into person');
  expect(text).toContain('duplicate key value');
});

test('a line without secrets is written as it is', () => {
  const fields = { event: 'job', ids: ['a', 'b'], at: { from: 1, to: null }, keyId: 'Ab3dEf6hIj9k' };
  expect(JSON.parse(logged(fields))).toMatchObject(fields);
});

test('ordinary text passes unchanged', () => {
  expect(redactText('https://example.org:8443/path?x=1')).toBe('https://example.org:8443/path?x=1');
});

test('a key is found whatever stands around it, and without its end', () => {
  const [key, secret] = [`teei_test_Ab3dEf6hIj9k${'s'.repeat(49)}`, 's'.repeat(16)];
  for (const text of [key, `x${key}`, `${key}y`, `key=${key}&a=b`, `"${key}"`, key.slice(0, 65), `${key} ${key}`]) {
    expect(redactText(text)).not.toContain(secret);
    expect(redactText(text)).toContain('teei_test_Ab3dEf6hIj9k…');
  }
});
