import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { newWebhookSecret, secretKey } from './secret-key.ts';

const bytesOf = (...args: Parameters<typeof secretKey>) => secretKey(...args)?.export() ?? null;

describe('the key of a secret', () => {
  it('is read in the profile’s encoding only', () => {
    expect(bytesOf('Jefe', 'utf8')).toEqual(Buffer.from('Jefe'));
    expect(bytesOf('4A656665', 'hex')).toEqual(Buffer.from('Jefe'));
    expect(bytesOf('SmVmZQ==', 'base64')).toEqual(Buffer.from('Jefe'));
    const key = Buffer.alloc(24, 1);
    expect(bytesOf(`whsec_${key.toString('base64')}`, 'whsec')).toEqual(key);
    expect(bytesOf(key.toString('base64'), 'whsec')).toEqual(key);
  });

  it.each([
    ['', 'utf8'],
    ['', 'hex'],
    ['', 'base64'],
    ['', 'whsec'],
    ['whsec_', 'whsec'],
    ['abc', 'hex'],
    ['0x4a', 'hex'],
    ['4a ', 'hex'],
    ['SmVmZQ', 'base64'],
    ['Sm VmZQ==', 'base64'],
    ['SmVm-_==', 'base64'],
    [`whsec_${Buffer.alloc(23).toString('base64')}`, 'whsec'],
    [`whsec_${Buffer.alloc(65).toString('base64')}`, 'whsec'],
    [`whsk_${Buffer.alloc(32).toString('base64')}`, 'whsec'],
  ] as const)('is never made of %j as %s', (text, encoding) => {
    expect(secretKey(text, encoding)).toBeNull();
  });

  it('does not show itself when printed', () => {
    const key = secretKey('a secret nobody may see', 'utf8');
    expect(inspect(key, { showHidden: true, depth: 9 }) + JSON.stringify(key)).not.toMatch(/secret nobody/);
  });
});

describe('a new secret', () => {
  it('carries 32 random bytes and is valid in both key encodings', () => {
    const secret = newWebhookSecret((length) => Buffer.alloc(length, 5));
    expect(secret).toBe(`whsec_${Buffer.alloc(32, 5).toString('base64')}`);
    expect(bytesOf(secret, 'whsec')).toEqual(Buffer.alloc(32, 5));
    expect(newWebhookSecret()).not.toBe(newWebhookSecret());
  });
});
