import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchClientSecret, newClientSecret, readTokenRequest } from './client-credentials.ts';
import { secretKey } from './secret-key.ts';

const form = ['Content-Type', 'application/x-www-form-urlencoded'];
const basic = (text: string) => ['Authorization', `Basic ${Buffer.from(text).toString('base64')}`];
const request = (body: string, headers: string[] = form) => readTokenRequest(headers, Buffer.from(body));
const accepted = { accepted: true, clientId: 'client', clientSecret: 'se cret' };
const failed = (error: string) => ({ accepted: false, error });
const grant = 'grant_type=client_credentials';

describe('a token request', () => {
  it('names the client by HTTP Basic or by form fields', () => {
    expect(request(grant, [...form, ...basic('client:se+cret')])).toEqual(accepted);
    expect(request(grant, [...form, ...basic('client:se%20cret')])).toEqual(accepted);
    expect(request(`${grant}&client_id=client`, [...form, ...basic('client:se%20cret')])).toEqual(accepted);
    expect(request(`${grant}&client_id=client&client_secret=se+cret`)).toEqual(accepted);
    const withCharset = ['content-type', 'application/x-www-form-urlencoded; charset=UTF-8'];
    expect(request(`${grant}&client_id=client&client_secret=se+cret`, withCharset)).toEqual(accepted);
  });

  it.each([
    ['no content type', `${grant}&client_id=a&client_secret=b`, [], 'invalid_request'],
    ['JSON', '{}', ['Content-Type', 'application/json'], 'invalid_request'],
    ['no grant type', 'client_id=a&client_secret=b', form, 'invalid_request'],
    ['a repeated parameter', `${grant}&client_id=a&client_id=b&client_secret=c`, form, 'invalid_request'],
    ['another grant type', 'grant_type=password&client_id=a&client_secret=b', form, 'unsupported_grant_type'],
    ['no client', grant, form, 'invalid_client'],
    ['an empty secret', `${grant}&client_id=a&client_secret=`, form, 'invalid_client'],
    ['two ways to authenticate', `${grant}&client_id=a&client_secret=b`, [...form, ...basic('a:b')], 'invalid_request'],
    ['two clients', `${grant}&client_id=b`, [...form, ...basic('a:b')], 'invalid_request'],
    ['two Authorization headers', grant, [...form, ...basic('a:b'), ...basic('a:b')], 'invalid_request'],
    ['Basic without a secret', grant, [...form, ...basic('a:')], 'invalid_client'],
    ['Basic without a colon', grant, [...form, ...basic('a')], 'invalid_client'],
    ['Basic with a broken escape', grant, [...form, ...basic('a:%zz')], 'invalid_client'],
    ['another scheme', grant, [...form, 'Authorization', 'Bearer abc'], 'invalid_client'],
    ['a huge body', `${grant}&client_id=a&client_secret=${'b'.repeat(9_000)}`, form, 'invalid_request'],
  ])('with %s is refused', (_what, body, headers, error) => {
    expect(request(body, headers)).toEqual(failed(error));
  });

  it('of any bytes is answered, not thrown at', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 4 }), fc.uint8Array(), (headers, body) => {
        expect(readTokenRequest([...form, ...headers], Buffer.from(body)).accepted).toBe(false);
      }),
    );
  });
});

describe('a client secret', () => {
  const active = (id: string, text: string) => ({
    id,
    key: secretKey(text, 'utf8') ?? createSecretKey(Buffer.alloc(0)),
  });

  it('matches the active secret that has exactly its text', () => {
    const secrets = [active('old', 'first'), active('new', 'second')];
    expect(matchClientSecret('first', secrets)).toBe('old');
    expect(matchClientSecret('second', secrets)).toBe('new');
    for (const presented of ['', 'third', 'first ', 'firs', 'FIRST'])
      expect(matchClientSecret(presented, secrets)).toBeNull();
  });

  it('is never empty', () => {
    expect(matchClientSecret('', [active('empty', '')])).toBeNull();
    expect(matchClientSecret('', [])).toBeNull();
  });

  it('of a new client has 256 bits and needs no escaping', () => {
    expect(newClientSecret()).toMatch(/^hubcs_[\w-]{43}$/);
    expect(newClientSecret()).not.toBe(newClientSecret());
  });
});
