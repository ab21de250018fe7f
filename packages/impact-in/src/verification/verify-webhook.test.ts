import { createHmac, createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  hmacProfile,
  hmacSchemes,
  keyOf,
  nowMs,
  otherSecret,
  rawHeadersOf,
  receive,
  secret,
  signed,
  withHeader,
  type HmacScheme,
} from './test-requests.ts';

const failed = (reason: string) => ({ valid: false, reason });

/** Headers that decide about authenticity, by scheme. */
const securityHeaders: Record<HmacScheme, readonly [signature: string, ...others: string[]]> = {
  'benevity-hmac': ['X-Benevity-Signature'],
  'goodera-hmac': ['X-Goodera-Signature', 'X-Goodera-Request-Timestamp'],
  'workday-hmac': ['X-Workday-Signature', 'X-Workday-Request-Timestamp'],
  'standard-webhooks': ['webhook-signature', 'webhook-timestamp', 'webhook-id'],
};

const missing: Record<string, string> = {
  'X-Goodera-Request-Timestamp': 'missing_timestamp',
  'X-Workday-Request-Timestamp': 'missing_timestamp',
  'webhook-timestamp': 'missing_timestamp',
  'webhook-id': 'missing_event_id',
};

describe.each(hmacSchemes)('%s', (scheme) => {
  it('accepts what the partner signed and says which secret matched', () => {
    const timestampMs = nowMs;
    const eventIdFromHeader = scheme === 'standard-webhooks' ? 'msg_1' : null;
    expect(receive(scheme, signed(scheme))).toEqual({
      valid: true,
      secretId: 'current',
      timestampMs,
      eventIdFromHeader,
    });
  });

  it('accepts 300 seconds of difference and refuses 301, into the past and into the future', () => {
    const at = (offsetMs: number) => receive(scheme, signed(scheme, { nowMs: nowMs + offsetMs }));
    expect(at(-300_000)).toMatchObject({ valid: true });
    expect(at(300_000)).toMatchObject({ valid: true });
    expect(at(-301_000)).toEqual(failed('timestamp_too_old'));
    expect(at(301_000)).toEqual(failed('timestamp_in_future'));
  });

  it('takes a tolerance of the endpoint’s own', () => {
    const profile = { ...hmacProfile(scheme), toleranceSeconds: 30 };
    expect(receive(scheme, signed(scheme, { nowMs: nowMs - 30_000 }), { profile })).toMatchObject({ valid: true });
    expect(receive(scheme, signed(scheme, { nowMs: nowMs - 31_000 }), { profile })).toEqual(
      failed('timestamp_too_old'),
    );
  });

  it('refuses everything when the clock is not a number', () => {
    expect(receive(scheme, signed(scheme), { nowMs: Number.NaN })).toMatchObject({ valid: false });
  });

  it('verifies the raw bytes, in whatever character set', () => {
    const body = Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x80, 0xc3, 0x28, 0x7d]);
    expect(receive(scheme, signed(scheme, { body }))).toMatchObject({ valid: true });
    // Both decode to the same replacement character, so a verifier that decodes would take one for the other.
    const request = signed(scheme, { body: Buffer.from([0xff]) });
    expect(receive(scheme, { ...request, body: Buffer.from([0xfe]) })).toEqual(failed('signature_mismatch'));
  });

  it('accepts an empty body when it is signed', () => {
    expect(receive(scheme, signed(scheme, { body: Buffer.alloc(0) }))).toMatchObject({ valid: true });
  });

  it('refuses another secret', () => {
    expect(receive(scheme, signed(scheme, { secret: otherSecret }))).toEqual(failed('signature_mismatch'));
  });

  it('tries every active secret and names the one that matched', () => {
    const secrets = [
      { id: 'new', key: keyOf(scheme, otherSecret) },
      { id: 'old', key: keyOf(scheme, secret) },
    ];
    expect(receive(scheme, signed(scheme), { secrets })).toMatchObject({ valid: true, secretId: 'old' });
    expect(receive(scheme, signed(scheme, { secret: otherSecret }), { secrets })).toMatchObject({ secretId: 'new' });
  });

  it('refuses when no secret is active, and never takes an empty one', () => {
    expect(receive(scheme, signed(scheme), { secrets: [] })).toEqual(failed('no_active_secret'));
    const empty = { id: 'empty', key: createSecretKey(Buffer.alloc(0)) };
    const byEmpty = signed(scheme, { secret: scheme === 'standard-webhooks' ? 'whsec_' : '' });
    expect(receive(scheme, byEmpty, { secrets: [empty] })).toEqual(failed('no_active_secret'));
    const secrets = [empty, { id: 'current', key: keyOf(scheme, secret) }];
    expect(receive(scheme, byEmpty, { secrets })).toEqual(failed('signature_mismatch'));
  });

  it.each(securityHeaders[scheme])('refuses a request without %s, or with two', (name) => {
    const request = signed(scheme);
    expect(receive(scheme, withHeader(request, name, null))).toEqual(failed(missing[name] ?? 'missing_signature'));
    const value = request.headers[name] ?? '';
    for (const duplicate of [name, name.toUpperCase(), name.toLowerCase()])
      for (const second of [value, 'anything']) {
        const rawHeaders = [...rawHeadersOf(request.headers), duplicate, second];
        expect(receive(scheme, request, { rawHeaders })).toEqual(failed('duplicate_header'));
      }
  });

  it.each(securityHeaders[scheme])('bounds the length of %s', (name) => {
    const request = withHeader(signed(scheme), name, `${signed(scheme).headers[name]}${' '.repeat(4_096)}`);
    expect(receive(scheme, request)).toEqual(failed('header_too_long'));
  });

  it('finds its headers in any letter case', () => {
    const { headers, body } = signed(scheme);
    const upper = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]));
    expect(receive(scheme, { headers: upper, body })).toMatchObject({ valid: true });
  });

  it('refuses an encoded body, as the signature is over the bytes sent', () => {
    const encoded = (value: string) => receive(scheme, withHeader(signed(scheme), 'Content-Encoding', value));
    for (const value of ['gzip', 'GZIP', 'br', '', 'identity, gzip', 'x'.repeat(5_000)])
      expect(encoded(value)).toEqual(failed('content_encoding'));
    expect(encoded('identity')).toMatchObject({ valid: true });
    const twice = [...rawHeadersOf(signed(scheme).headers), 'Content-Encoding', 'identity', 'content-encoding', 'gzip'];
    expect(receive(scheme, signed(scheme), { rawHeaders: twice })).toEqual(failed('content_encoding'));
  });

  it('refuses the signature of any other scheme, even with its headers renamed', () => {
    for (const other of hmacSchemes.filter((candidate) => candidate !== scheme)) {
      const foreign = signed(other);
      expect(receive(scheme, foreign)).toMatchObject({ valid: false });
      const renamed = { ...signed(scheme).headers };
      for (const [index, name] of securityHeaders[scheme].entries())
        renamed[name] = foreign.headers[securityHeaders[other][index] ?? ''] ?? renamed[name] ?? '';
      expect(receive(scheme, { headers: renamed, body: foreign.body })).toMatchObject({ valid: false });
    }
  });

  it.each(['', ' ', 'x', '=', ',', 'v1=', 'v1,', 'sha256=', 't=1', 't=1,v1=00', 'sha256=00', 'AAAA', '\u{1f600}'])(
    'refuses the signature header %j',
    (value) => {
      expect(receive(scheme, withHeader(signed(scheme), securityHeaders[scheme][0], value))).toMatchObject({
        valid: false,
      });
    },
  );
});

describe('a Benevity signature list', () => {
  const name = 'X-Benevity-Signature';
  const list = (change: (value: string) => string) => {
    const request = signed('benevity-hmac');
    return receive('benevity-hmac', withHeader(request, name, change(request.headers[name] ?? '')));
  };
  const zero = `v1=${'0'.repeat(64)}`;

  it('may carry several v1, the right one anywhere', () => {
    expect(
      receive('benevity-hmac', signed('benevity-hmac', { secret: otherSecret, oldSecrets: [secret] })),
    ).toMatchObject({ valid: true });
    expect(list((value) => `${value},${zero},${zero}`)).toMatchObject({ valid: true });
    expect(list((value) => value.replace(',v1', `,${zero},${zero},v1`))).toMatchObject({ valid: true });
    expect(list((value) => value.replace(/(t=\d+),(v1=.*)/, '$2,$1'))).toMatchObject({ valid: true });
  });

  it('may carry other versions and blanks around commas', () => {
    expect(list((value) => value.replace(',', ', v0=abc ,'))).toMatchObject({ valid: true });
  });

  it('is refused as a whole when one v1 is not 32 bytes', () => {
    expect(list((value) => `${value},v1=00`)).toEqual(failed('malformed_signature'));
    expect(list((value) => `${value},v1=`)).toEqual(failed('malformed_signature'));
    expect(list((value) => `${value},`)).toEqual(failed('malformed_signature'));
  });

  it('has exactly one timestamp', () => {
    expect(list((value) => value.replace(/^t=\d+,/, ''))).toEqual(failed('missing_timestamp'));
    expect(list((value) => `${value},t=1`)).toEqual(failed('malformed_timestamp'));
    expect(list((value) => `${value},${value.split(',')[0]}`)).toEqual(failed('malformed_timestamp'));
  });

  it('without a v1 is unsigned', () => {
    expect(list((value) => value.replace('v1=', 'v0='))).toEqual(failed('missing_signature'));
  });
});

describe('the encoding of a signature', () => {
  it('takes hexadecimal digits of either case', () => {
    const { headers, body } = signed('goodera-hmac');
    const upper = (headers['X-Goodera-Signature'] ?? '').toUpperCase().replace('SHA256=', 'sha256=');
    expect(receive('goodera-hmac', { headers: { ...headers, 'X-Goodera-Signature': upper }, body })).toMatchObject({
      valid: true,
    });
  });

  it('takes base64 only padded, canonical and in the standard alphabet', () => {
    const forms = (change: (value: string) => string) => {
      const request = signed('workday-hmac');
      const value = change(request.headers['X-Workday-Signature'] ?? '');
      return receive('workday-hmac', withHeader(request, 'X-Workday-Signature', value));
    };
    expect(forms((value) => value)).toMatchObject({ valid: true });
    expect(forms((value) => value.replace('=', ''))).toEqual(failed('malformed_signature'));
    expect(forms((value) => `${value}=`)).toEqual(failed('malformed_signature'));
    expect(forms((value) => `${value}\n`)).toEqual(failed('malformed_signature'));
    expect(forms((value) => Buffer.from(value, 'base64').toString('hex'))).toEqual(failed('malformed_signature'));
    // The same 32 bytes with one of the two unused bits set.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    const uncanonical = (value: string) => `${value.slice(0, 42)}${alphabet[alphabet.indexOf(value[42] ?? '') + 1]}=`;
    expect(forms(uncanonical)).toEqual(failed('malformed_signature'));
    const urlSafe = Array.from({ length: 50 }, (_, index) => signed('workday-hmac', { body: Buffer.from([index]) }))
      .filter((request) => /[+/]/.test(request.headers['X-Workday-Signature'] ?? ''))
      .map((request) => {
        const value = request.headers['X-Workday-Signature'] ?? '';
        return receive(
          'workday-hmac',
          withHeader(request, 'X-Workday-Signature', value.replaceAll('+', '-').replaceAll('/', '_')),
        );
      });
    expect(new Set(urlSafe.map((result) => JSON.stringify(result)))).toEqual(
      new Set([JSON.stringify(failed('malformed_signature'))]),
    );
  });
});

describe('a timestamp that is not in the scheme’s format', () => {
  const body = Buffer.from('{}');
  const tag = (text: string) => createHmac('sha256', secret).update(text).update(body);
  const seconds = String(nowMs / 1_000);

  it.each([
    `${seconds}.0`,
    `0x${(nowMs / 1_000).toString(16)}`,
    `+${seconds}`,
    String(nowMs),
    new Date(nowMs).toISOString(),
    '',
  ])('is refused although it is signed: %j for Benevity and Goodera', (stamp) => {
    const hex = tag(`${stamp}.`).digest('hex');
    expect(receive('benevity-hmac', { headers: { 'X-Benevity-Signature': `t=${stamp},v1=${hex}` }, body })).toEqual(
      failed('malformed_timestamp'),
    );
    const goodera = { 'X-Goodera-Signature': `sha256=${hex}`, 'X-Goodera-Request-Timestamp': stamp };
    expect(receive('goodera-hmac', { headers: goodera, body })).toEqual(failed('malformed_timestamp'));
  });

  it.each([seconds, '2026-03-01T12:00:00', '2026-03-01 12:00:00Z', 'Sun, 01 Mar 2026 12:00:00 GMT', ''])(
    'is refused although it is signed: %j for Workday',
    (stamp) => {
      const base64 = tag(`${stamp}:`).digest('base64');
      const headers = { 'X-Workday-Signature': base64, 'X-Workday-Request-Timestamp': stamp };
      expect(receive('workday-hmac', { headers, body })).toEqual(failed('malformed_timestamp'));
    },
  );
});

describe('the signed text', () => {
  it('contains Workday’s timestamp as it was written, not as it was understood', () => {
    const request = signed('workday-hmac');
    const sameInstant = new Date(nowMs).toISOString().replace('.000Z', '+00:00');
    expect(receive('workday-hmac', withHeader(request, 'X-Workday-Request-Timestamp', sameInstant))).toEqual(
      failed('signature_mismatch'),
    );
  });

  it('cannot be re-read with another boundary between event id, timestamp and body', () => {
    const seconds = String(nowMs / 1_000);
    const original = signed('standard-webhooks', { eventId: 'a', body: Buffer.from(`${seconds}.{}`) });
    const headers = { ...original.headers, 'webhook-id': `a.${seconds}`, 'webhook-timestamp': seconds };
    expect(receive('standard-webhooks', { headers, body: Buffer.from('{}') })).toEqual(failed('malformed_event_id'));
  });
});
