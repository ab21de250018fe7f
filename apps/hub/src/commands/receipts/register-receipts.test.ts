import { expect, test } from 'vitest';
import { readHelps } from '../hub-api/test-helps.ts';
import { registerReceipts } from './register-receipts.ts';

test('every command shows an example in its help', () => {
  const helps = readHelps('receipts', registerReceipts);
  expect(helps.length).toBeGreaterThanOrEqual(4);
  for (const { path, help } of helps) expect(help).toMatch(new RegExp(`Example:\\n {2}${path}`));
});
