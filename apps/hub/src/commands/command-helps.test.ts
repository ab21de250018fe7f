import { expect, test } from 'vitest';
import { registerDeliveries } from './deliveries/register-deliveries.ts';
import { registerEndpoints } from './endpoints/register-endpoints.ts';
import { readHelps } from './hub-api/test-helps.ts';
import { registerKeys } from './keys/register-keys.ts';

test.each([
  ['deliveries', registerDeliveries, 9],
  ['endpoints', registerEndpoints, 10],
  ['keys', registerKeys, 12],
] as const)('every command of hub %s shows an example in its help', (group, register, commandsAtLeast) => {
  const helps = readHelps(group, register);
  expect(helps.length).toBeGreaterThanOrEqual(commandsAtLeast);
  for (const { path, help } of helps) expect(help).toMatch(new RegExp(`Example:\\n {2}${path}`));
});
