import { describe, expect, it } from 'vitest';
import { isSensitiveName, redactString } from './redact-sensitive.ts';

const hidden =
  'secret clientSecret client_secret CLIENT-SECRET clientsecret secretHash password newPassword token accessToken ' +
  'refresh_token key apiKey apikey API_KEY X-Api-Key privateKey keys authorization Set-Cookie passphrase totpSecret ' +
  'credentials JWTToken keyMaterial';
const shown =
  'keyId secretId key_id tokenExpiresAt passwordChangedAt keyCount keyName oldSecretExpiresAt name monkey keyboard role ' +
  'scopes tokenizer shipping …';

describe('redaction by name', () => {
  it.each(hidden.split(' '))('hides %s', (name) => expect(isSensitiveName(name)).toBe(true));
  it.each(['', ...shown.split(' ')])('shows %s', (name) => expect(isSensitiveName(name)).toBe(false));
});

it('hides a key inside any text, and keeps the rest', () => {
  const key = `teei_live_${'A'.repeat(12)}${'b'.repeat(49)}`;
  expect(redactString(`deleted ${key} by hand`)).toBe(`deleted teei_live_${'A'.repeat(12)}… by hand`);
  expect(redactString('postgres://hub:hunter2@db/hub')).toBe('postgres://hub:…@db/hub');
});
