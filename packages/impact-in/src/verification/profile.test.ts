import { describe, expect, it } from 'vitest';
import { profileFaults } from './plan-verification.ts';
import {
  customScheme,
  defaultSchemeOf,
  isWeak,
  partnerNames,
  profileOf,
  profiles,
  schemesOf,
  type HmacProfile,
  type Profile,
} from './profile.ts';
import { hmacProfile, receive, signed } from './test-requests.ts';

const all: Profile[] = Object.values(profiles);

describe('the profiles', () => {
  it.each(all)('$scheme is registered under its own name and contradicts itself nowhere', (profile) => {
    expect(profileOf(profile.scheme)).toBe(profile);
    if (profile.family === 'hmac') expect(profileFaults(profile)).toEqual([]);
  });

  it('are all protected against replay and accept five minutes, unless they say that they are weak', () => {
    const signedTimes = all.filter((candidate) => candidate.family === 'hmac' && !isWeak(candidate));
    expect(signedTimes).toHaveLength(4);
    for (const profile of signedTimes)
      expect(profile).toMatchObject({ toleranceSeconds: 300, timestampFormat: expect.not.stringMatching('none') });
  });

  it('never let a third party hold a symmetric token key, or a token live for more than an hour', () => {
    expect(profiles['workday-oauth']).toMatchObject({
      algorithms: ['Ed25519'],
      maxLifetimeSeconds: 3_600,
      leewaySeconds: 60,
    });
  });

  it.each(partnerNames)('offer %s its default first and only its own', (partner) => {
    const [first, ...others] = schemesOf(partner);
    expect(first).toBe(defaultSchemeOf(partner));
    for (const scheme of [first ?? '', ...others])
      if (scheme !== customScheme) expect(profileOf(scheme)?.partners).toContain(partner);
    expect(others).toContain('standard-webhooks');
  });

  it.each(['', 'nobody', '__proto__', 'constructor', 'toString'])('know no scheme %j', (scheme) => {
    expect(profileOf(scheme)).toBeNull();
  });
});

describe('a profile that contradicts itself verifies nothing', () => {
  const { timestampHeader: _header, ...goodera } = hmacProfile('goodera-hmac');
  const sound = hmacProfile('goodera-hmac');
  const contradictions: [string, HmacProfile][] = [
    [
      'a timestamp that is checked but not signed',
      { ...hmacProfile('benevity-hmac'), signedTemplate: '{body}', weak: true },
    ],
    ['a timestamp that is signed but not checked', { ...sound, timestampFormat: 'none' }],
    ['a timestamp without a source', goodera],
    [
      'a timestamp header that nobody reads',
      { ...sound, signedTemplate: '{body}', timestampFormat: 'none', weak: true },
    ],
    ['a timestamp with two sources', { ...hmacProfile('workday-hmac'), container: 'stripe-list' }],
    ['a prefix where none is read', { ...hmacProfile('workday-hmac'), prefix: 'sha256=' }],
    ['an event id that could end in the timestamp', { ...sound, idHeader: 'X-Id', signedTemplate: '{id}:{ts}:{body}' }],
    ['a header with two meanings', { ...sound, timestampHeader: 'x-goodera-signature' }],
    ['a header that is none', { ...sound, timestampHeader: 'X Timestamp' }],
    ['a placeholder twice', { ...sound, signedTemplate: '{ts}.{ts}.{body}' }],
    ['an event id that is not signed', { ...sound, idHeader: 'X-Id' }],
    ['a signed event id without a source', { ...sound, signedTemplate: '{id}.{ts}.{body}' }],
    ['a prefix that is empty', { ...sound, prefix: '' }],
    ['no signature header', { ...sound, signatureHeader: '' }],
    ['text after the body', { ...sound, signedTemplate: '{ts}.{body}.{body}' }],
    ['an unknown placeholder', { ...sound, signedTemplate: '{ts}.{url}.{body}' }],
    ['a tolerance under 30 seconds', { ...sound, toleranceSeconds: 29 }],
    ['a tolerance over 900 seconds', { ...sound, toleranceSeconds: 901 }],
    ['a tolerance that is no number', { ...sound, toleranceSeconds: Number.NaN }],
    ['no replay protection without saying so', { ...goodera, signedTemplate: '{body}', timestampFormat: 'none' }],
  ];

  it.each(contradictions)('%s', (_what, profile) => {
    expect(profileFaults(profile)).toHaveLength(1);
    expect(receive('goodera-hmac', signed('goodera-hmac'), { profile })).toEqual({
      valid: false,
      reason: 'profile_invalid',
    });
  });
});
