import { describe, expect, it } from 'vitest';
import type { HmacProfile } from './profile.ts';
import { secretKey } from './secret-key.ts';
import { hmacProfile } from './test-requests.ts';
import { verifyHmac } from './verify-webhook.ts';

const bodyOnlyHex: HmacProfile = {
  family: 'hmac',
  scheme: 'custom',
  title: 'hex HMAC of the body',
  partners: ['benevity'],
  signatureHeader: 'X-Signature',
  signedTemplate: '{body}',
  encoding: 'hex',
  container: 'bare',
  timestampFormat: 'none',
  toleranceSeconds: 300,
  keyEncoding: 'hex',
  weak: true,
};

const github: HmacProfile = {
  ...bodyOnlyHex,
  signatureHeader: 'X-Hub-Signature-256',
  container: 'prefixed',
  prefix: 'sha256=',
  keyEncoding: 'utf8',
};

const shopify: HmacProfile = { ...bodyOnlyHex, encoding: 'base64', keyEncoding: 'utf8' };

const slack: HmacProfile = {
  ...bodyOnlyHex,
  signatureHeader: 'X-Slack-Signature',
  timestampHeader: 'X-Slack-Request-Timestamp',
  signedTemplate: 'v0:{ts}:{body}',
  container: 'prefixed',
  prefix: 'v0=',
  timestampFormat: 'unix_s',
  keyEncoding: 'utf8',
  weak: false,
};

const verify = (profile: HmacProfile, keyText: string, headers: Record<string, string>, body: Buffer, nowMs = 0) => {
  const key = secretKey(keyText, profile.keyEncoding);
  return verifyHmac({
    profile,
    secrets: key === null ? [] : [{ id: 'vector', key }],
    rawHeaders: Object.entries(headers).flat(),
    body,
    nowMs,
  });
};

const accepted = { valid: true, secretId: 'vector' };

/** RFC 4231 §4; case 5 is truncated to 128 bits, which the hub never accepts. */
const rfc4231: readonly [number, string, Buffer, string][] = [
  [1, '0b'.repeat(20), Buffer.from('Hi There'), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
  [
    2,
    Buffer.from('Jefe').toString('hex'),
    Buffer.from('what do ya want for nothing?'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  [3, 'aa'.repeat(20), Buffer.alloc(50, 0xdd), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
  [
    4,
    '0102030405060708090a0b0c0d0e0f10111213141516171819',
    Buffer.alloc(50, 0xcd),
    '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
  ],
  [
    6,
    'aa'.repeat(131),
    Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First'),
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  ],
  [
    7,
    'aa'.repeat(131),
    Buffer.from(
      'This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.',
    ),
    '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
  ],
];

describe('public test vectors verify', () => {
  it.each(rfc4231)('RFC 4231 case %i', (_case, key, body, signature) => {
    expect(verify(bodyOnlyHex, key, { 'X-Signature': signature }, body)).toMatchObject(accepted);
  });

  it('RFC 4231 case 5 is refused, because its tag is truncated', () => {
    const body = Buffer.from('Test With Truncation');
    const result = verify(bodyOnlyHex, '0c'.repeat(20), { 'X-Signature': 'a3b6167473100ee06e0c796c2955552b' }, body);
    expect(result).toEqual({ valid: false, reason: 'malformed_signature' });
  });

  it('GitHub: securing webhooks', () => {
    const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
    const body = Buffer.from('Hello, World!');
    const headers = { 'X-Hub-Signature-256': signature };
    expect(verify(github, "It's a Secret to Everybody", headers, body)).toMatchObject(accepted);
    expect(verify(github, "It's a Secret to Everybody", { 'X-Hub-Signature-256': signature.slice(7) }, body)).toEqual({
      valid: false,
      reason: 'malformed_signature',
    });
    const optional = { ...github, prefixOptional: true };
    expect(
      verify(optional, "It's a Secret to Everybody", { 'X-Hub-Signature-256': signature.slice(7) }, body),
    ).toMatchObject(accepted);
  });

  it('Shopify-like: bare base64 of the body (RFC 4231 case 2)', () => {
    const signature = 'W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=';
    const body = Buffer.from('what do ya want for nothing?');
    expect(verify(shopify, 'Jefe', { 'X-Signature': signature }, body)).toMatchObject(accepted);
  });

  it('Slack: verifying requests', () => {
    const body = Buffer.from(
      'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
    );
    const headers = {
      'X-Slack-Signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
      'X-Slack-Request-Timestamp': '1531420618',
    };
    const result = verify(slack, '8f742231b10e8888abcd99yyyzzz85a5', headers, body, 1_531_420_618_000);
    expect(result).toEqual({ ...accepted, timestampMs: 1_531_420_618_000, eventIdFromHeader: null });
  });
});

describe('the vector of Standard Webhooks', () => {
  const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
  const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
  const atMs = 1_614_265_330_000;
  const standard = (changes: Record<string, string>, nowMs = atMs, key = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') =>
    verify(
      hmacProfile('standard-webhooks'),
      key,
      { 'webhook-id': id, 'webhook-timestamp': '1614265330', 'webhook-signature': signature, ...changes },
      Buffer.from('{"test": 2432232314}'),
      nowMs,
    );
  const failed = (reason: string) => ({ valid: false, reason });

  it('verifies, with or without the secret’s prefix', () => {
    const expected = { ...accepted, timestampMs: atMs, eventIdFromHeader: id };
    expect(standard({})).toEqual(expected);
    expect(standard({}, atMs, 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')).toEqual(expected);
  });

  it.each([
    ['an empty signature', 'v1,', 'malformed_signature'],
    ['no signature at all', '', 'malformed_signature'],
    ['a truncated signature', signature.slice(0, -3), 'malformed_signature'],
    ['no version', signature.slice(3), 'malformed_signature'],
    ['only another version', signature.replace('v1,', 'v2,'), 'missing_signature'],
    ['only an ed25519 signature', signature.replace('v1,', 'v1a,'), 'missing_signature'],
    ['a wrong signature', 'v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=', 'signature_mismatch'],
  ])('refuses %s', (_what, value, reason) => {
    expect(standard({ 'webhook-signature': value })).toEqual(failed(reason));
  });

  it('finds the right one in a list of versions', () => {
    const list = `v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,x v1a,y ${signature}`;
    expect(standard({ 'webhook-signature': list })).toMatchObject(accepted);
  });

  it('is valid for exactly 300 seconds in both directions', () => {
    expect(standard({}, atMs + 300_000)).toMatchObject(accepted);
    expect(standard({}, atMs - 300_000)).toMatchObject(accepted);
    expect(standard({}, atMs + 300_001)).toEqual(failed('timestamp_too_old'));
    expect(standard({}, atMs - 300_001)).toEqual(failed('timestamp_in_future'));
  });
});
