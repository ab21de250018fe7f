import type * as NodeCrypto from 'node:crypto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { keyOf, otherSecret, receive, secret, signed } from './test-requests.ts';

const calls = vi.hoisted(() => ({ compared: 0, hashed: 0 }));

vi.mock('node:crypto', async (importOriginal) => {
  const crypto = await importOriginal<typeof NodeCrypto>();
  return {
    ...crypto,
    timingSafeEqual: (...pair: Parameters<typeof crypto.timingSafeEqual>) => {
      calls.compared += 1;
      return crypto.timingSafeEqual(...pair);
    },
    createHmac: (...options: Parameters<typeof crypto.createHmac>) => {
      calls.hashed += 1;
      return crypto.createHmac(...options);
    },
  };
});

const scheme = 'benevity-hmac';

describe('verification does the same work wherever the match is', () => {
  beforeEach(() => Object.assign(calls, { compared: 0, hashed: 0 }));

  it.each([
    ['first', ['right', 'wrong', 'wrong'], secret, [otherSecret, otherSecret]],
    ['last', ['wrong', 'wrong', 'right'], otherSecret, [otherSecret, secret]],
    ['nowhere', ['wrong', 'wrong', 'wrong'], otherSecret, [otherSecret, otherSecret]],
  ])('match %s: every presented signature is compared with every secret', (_where, order, first, oldSecrets) => {
    const third = `${otherSecret}!`;
    const request = signed(scheme, { secret: first, oldSecrets });
    calls.hashed = 0;
    const secrets = order.map((kind, index) => ({
      id: `${index}`,
      key: keyOf(scheme, kind === 'right' ? secret : `${third}${index}`),
    }));
    receive(scheme, request, { secrets });
    expect(calls).toEqual({ compared: 9, hashed: 3 });
  });
});
