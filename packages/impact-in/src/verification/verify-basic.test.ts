import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { secretKey } from './secret-key.ts';
import { verifyBasic } from './verify-basic.ts';

const passwordsOf = (...texts: string[]) =>
  texts.flatMap((text, index) => {
    const key = secretKey(text, 'utf8');
    return key === null ? [] : [{ id: `password ${index}`, key }];
  });

const header = (text: string) => ['Authorization', `Basic ${Buffer.from(text).toString('base64')}`];
const verify = (rawHeaders: string[], username = 'workday', passwords = passwordsOf('hubpw_right')) =>
  verifyBasic({ username, passwords, rawHeaders });
const failed = (reason: string) => ({ valid: false, reason });
const accepted = { valid: true, secretId: 'password 0' };

describe('HTTP Basic', () => {
  it('takes the examples of RFC 7617', () => {
    const aladdin = ['Authorization', 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='];
    expect(verify(aladdin, 'Aladdin', passwordsOf('open sesame'))).toMatchObject(accepted);
    const pound = ['authorization', 'bAsIc dGVzdDoxMjPCow=='];
    expect(verify(pound, 'test', passwordsOf('123£'))).toMatchObject(accepted);
  });

  it('takes names in either normal form, and passwords with colons', () => {
    expect(verify(header('wo\u0308rkday:hubpw_right'), 'w\u00f6rkday')).toMatchObject(accepted);
    expect(verify(header('workday:a:b:'), 'workday', passwordsOf('a:b:'))).toMatchObject(accepted);
  });

  it('says which of several passwords it was', () => {
    const passwords = passwordsOf('new', 'old');
    expect(verify(header('workday:old'), 'workday', passwords)).toMatchObject({ secretId: 'password 1' });
  });

  it.each([
    ['workday:hubpw_wrong'],
    ['Workday:hubpw_right'],
    ['workday :hubpw_right'],
    [':hubpw_right'],
    ['workday:'],
    ['workday:hubpw_right '],
    ['workday:hubpw_right\n'],
    ['workday:hubpw_right:'],
    ['workday\0:hubpw_right'],
  ])('refuses %j', (text) => {
    expect(verify(header(text))).toEqual(failed('credentials_mismatch'));
  });

  it('refuses what is not exactly one user name and password', () => {
    expect(verify([])).toEqual(failed('missing_credentials'));
    const right = header('workday:hubpw_right');
    expect(verify([...right, ...right])).toEqual(failed('duplicate_header'));
    expect(verify([...right, 'Content-Encoding', 'gzip'])).toEqual(failed('content_encoding'));
    const encoded = right[1]?.slice('Basic '.length) ?? '';
    for (const value of [
      '',
      'Basic',
      `Bearer ${encoded}`,
      encoded,
      `Basic  ${encoded}`,
      `Basic ${encoded} x`,
      'Basic d29ya2RheQ==',
      'Basic d29ya2RheTo=====',
      'Basic /////w==',
      'Basic d29ya2RheTpwYXNz-_',
    ])
      expect(verify(['Authorization', value]), value).toEqual(failed('malformed_credentials'));
  });

  it('refuses everything without an active password', () => {
    expect(verify(header('workday:'), 'workday', [])).toEqual(failed('no_active_secret'));
  });

  it('takes nothing but the right name and password, whatever is sent, and never throws', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('workday', 'hubpw_right', '', 'hubpw_righ'));
    fc.assert(
      fc.property(text, text, (username, password) => {
        const isRight = username === 'workday' && password === 'hubpw_right';
        expect(verify(header(`${username}:${password}`)).valid).toBe(isRight);
        expect(verify(['Authorization', username]).valid).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });
});
