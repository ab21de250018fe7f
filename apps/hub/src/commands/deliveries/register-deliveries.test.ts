import { expect, test } from 'vitest';
import { readHelps } from '../hub-api/test-helps.ts';
import { registerDeliveries } from './register-deliveries.ts';

test('every command shows an example in its help', () => {
  const helps = readHelps('deliveries', registerDeliveries);
  expect(helps.length).toBeGreaterThanOrEqual(9);
  for (const { path, help } of helps) expect(help).toMatch(new RegExp(`Example:\\n {2}${path}`));
});
