import type { ApiKeyPrincipal } from '@impact-hub/core';
import { controlledClock } from '@impact-hub/testkit';
import { decodeJwt } from 'jose';
import { expect, it } from 'vitest';
import { createIdentitySigner } from './identity-signer.ts';

const clock = controlledClock();
const signer = createIdentitySigner({ seed: Buffer.alloc(32, 7), issuer: 'https://hub.test', clock });
const before: ApiKeyPrincipal = {
  kind: 'api_key',
  keyId: 'Ab3dEf6hIj9l',
  secretId: 's',
  companyId: 'own',
  environment: 'live',
  scopes: new Set(['reports:read', 'reports:write']),
  rateLimitPerMinute: 60,
};

it('a key that lost a scope, or turned into another company’s or environment’s, gets no token of before', () => {
  const claimsOf = (principal: ApiKeyPrincipal) => decodeJwt(signer.tokenFor(principal, 'reports'));
  expect(claimsOf(before)).toMatchObject({ scopes: ['reports:read', 'reports:write'] });
  expect(claimsOf({ ...before, scopes: new Set(['reports:read']) })).toMatchObject({ scopes: ['reports:read'] });
  expect(claimsOf({ ...before, environment: 'test' })).toMatchObject({ environment: 'test' });
  expect(claimsOf({ ...before, companyId: 'other' })).toMatchObject({ company: 'other' });
});

it('a token serves one upstream, is used again for half of its life, and then replaced', () => {
  const first = signer.tokenFor(before, 'reports');
  expect(decodeJwt(signer.tokenFor(before, 'billing')).aud).toBe('billing');
  clock.advanceMs(29_999);
  expect(signer.tokenFor(before, 'reports')).toBe(first);
  expect(signer.tokenFor({ ...before }, 'reports')).toBe(first);
  clock.advanceMs(1);
  const second = decodeJwt(signer.tokenFor(before, 'reports'));
  expect((second.exp ?? 0) * 1_000 - clock.nowMs()).toBeGreaterThan(59_000);
});
