import { expect, test } from 'vitest';
import { readHelps } from '../hub-api/test-helps.ts';
import { registerKeys } from './register-keys.ts';

test('every command shows an example in its help', () => {
  const helps = readHelps('keys', registerKeys);
  expect(helps.length).toBeGreaterThanOrEqual(12);
  for (const { path, help } of helps) expect(help).toMatch(new RegExp(`Example:\\n {2}${path}`));
});
