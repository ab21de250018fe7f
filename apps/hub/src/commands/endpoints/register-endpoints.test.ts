import { expect, test } from 'vitest';
import { readHelps } from '../hub-api/test-helps.ts';
import { registerEndpoints } from './register-endpoints.ts';

test('every command shows an example in its help', () => {
  const helps = readHelps('endpoints', registerEndpoints);
  expect(helps.length).toBeGreaterThanOrEqual(10);
  for (const { path, help } of helps) expect(help).toMatch(new RegExp(`Example:\\n {2}${path}`));
});
