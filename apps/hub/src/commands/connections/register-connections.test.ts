import { expect, test } from 'vitest';
import { readHelps } from '../hub-api/test-helps.ts';
import { registerConnections } from './register-connections.ts';

test('every command shows an example in its help', () => {
  const helps = readHelps('connections', registerConnections);
  expect(helps.length).toBeGreaterThanOrEqual(8);
  for (const { path, help } of helps) expect(help).toMatch(new RegExp(`Example:\\n {2}${path}`));
});
