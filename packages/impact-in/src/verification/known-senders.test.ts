import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { sign as signAsGithub, verify as verifyAsGithub } from '@octokit/webhooks-methods';
import fc from 'fast-check';
import { Webhook as SvixWebhook } from 'svix';
import { describe, expect, it, vi } from 'vitest';
import { signRequest } from '../simulators/sign-request.ts';
import { customProfileSchema, hmacProfileOf, type CustomProfileInput } from './custom-profile.ts';
import { knownSenders, type KnownSender } from './known-senders.ts';
import { isWeak } from './profile.ts';
import { secretKey } from './secret-key.ts';
import { nowMs, rawHeadersOf } from './test-requests.ts';
import { verifyHmac } from './verify-webhook.ts';

const profileOf = (settings: CustomProfileInput) => hmacProfileOf(customProfileSchema.parse(settings));

const verify = (
  settings: CustomProfileInput,
  secret: string,
  headers: Record<string, string>,
  body: Buffer,
  atMs = nowMs,
) => {
  const profile = profileOf(settings);
  const key = secretKey(secret, profile.keyEncoding);
  if (key === null) throw new TypeError('not a secret');
  return verifyHmac({ profile, secrets: [{ id: 's', key }], rawHeaders: rawHeadersOf(headers), body, nowMs: atMs });
};

const senders = Object.keys(knownSenders) as KnownSender[];
const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const sender = fc.constantFrom(...senders);
const runs = { numRuns: 300 };

const signedBy = (name: KnownSender, body: Buffer) =>
  signRequest({ scheme: 'custom-hmac', profile: knownSenders[name], secret, body, nowMs, eventId: 'msg_1' });

describe('a sender known by its profile alone', () => {
  it.each(senders)('%s is received', (name) => {
    const body = Buffer.from('{"a":1}');
    const request = signedBy(name, body);
    expect(verify(knownSenders[name], secret, request.headers, body)).toMatchObject({ valid: true });
  });

  it('is weak exactly when it signs no time', () => {
    const weak = senders.filter((name) => isWeak(profileOf(knownSenders[name])));
    expect(weak).toEqual(['github', 'shopify', 'goodstack']);
  });

  it('is refused after any bit of the body or of what it signed has changed', () => {
    fc.assert(
      fc.property(sender, bytes, fc.nat(), fc.nat(7), fc.nat(), (name, body, position, bit, pick) => {
        const { headers } = signedBy(name, body);
        const flip = (text: Buffer): Buffer => {
          const flipped = Buffer.from(text);
          const at = position % flipped.length;
          flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << bit), at);
          return flipped;
        };
        if (body.length > 0)
          expect(verify(knownSenders[name], secret, headers, flip(body))).toMatchObject({ valid: false });
        const names = Object.keys(headers).filter((header) => header !== 'Content-Type');
        const header = names[pick % names.length] ?? '';
        const changed = flip(Buffer.from(headers[header] ?? '', 'latin1')).toString('latin1');
        // The case of hexadecimal digits means nothing.
        fc.pre(
          changed.toLowerCase() !== headers[header]?.toLowerCase() ||
            profileOf(knownSenders[name]).encoding === 'base64',
        );
        expect(verify(knownSenders[name], secret, { ...headers, [header]: changed }, body)).toMatchObject({
          valid: false,
        });
      }),
      { numRuns: 1_500 },
    );
  });

  it('is refused when it signs as another one does', () => {
    for (const name of senders)
      for (const other of senders.filter((candidate) => candidate !== name)) {
        const body = Buffer.from('{}');
        const result = verify(knownSenders[name], secret, signedBy(other, body).headers, body);
        expect(result, `${other} at ${name}`).toMatchObject({ valid: false });
      }
  });
});

describe('public vectors, by custom profiles', () => {
  it('GitHub', () => {
    const headers = {
      'X-Hub-Signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    };
    const body = Buffer.from('Hello, World!');
    expect(verify(knownSenders.github, "It's a Secret to Everybody", headers, body)).toMatchObject({ valid: true });
  });

  it('Standard Webhooks under the names of Svix', () => {
    const headers = {
      'svix-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'svix-timestamp': '1614265330',
      'svix-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    };
    const key = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    const body = Buffer.from('{"test": 2432232314}');
    expect(verify(knownSenders.svix, key, headers, body, 1_614_265_330_000)).toMatchObject({ valid: true });
  });

  it('Stripe keys with the whole secret, as its documentation says', () => {
    const body = Buffer.from('{"id":"evt_1"}');
    const v1 = createHmac('sha256', secret).update(`1614265330.${body.toString()}`).digest('hex');
    const headers = { 'Stripe-Signature': `t=1614265330,v1=${v1},v0=${'0'.repeat(64)}` };
    expect(verify(knownSenders.stripe, secret, headers, body, 1_614_265_330_000)).toMatchObject({ valid: true });
    expect(
      verify({ ...knownSenders.stripe, keyEncoding: 'whsec' }, secret, headers, body, 1_614_265_330_000),
    ).toMatchObject({ valid: false });
  });
});

describe('independent libraries', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 });

  it('sign as GitHub what the hub accepts, and accept what its profile signs', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (body) => {
        const headers = { 'X-Hub-Signature-256': await signAsGithub(secret, body) };
        expect(verify(knownSenders.github, secret, headers, Buffer.from(body))).toMatchObject({ valid: true });
        const ours = signedBy('github', Buffer.from(body)).headers['X-Hub-Signature-256'] ?? '';
        expect(await verifyAsGithub(secret, body, ours)).toBe(true);
      }),
      runs,
    );
  });

  it('sign as Svix what the hub accepts, and agree on the age', () => {
    vi.useFakeTimers({ now: nowMs, toFake: ['Date'] });
    const library = new SvixWebhook(secret);
    const accepts = (body: string, headers: Record<string, string>): boolean => {
      try {
        library.verify(body, headers);
        return true;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(text, fc.integer({ min: -400, max: 400 }), (raw, skew) => {
        const body = JSON.stringify({ raw });
        const at = new Date(nowMs + skew * 1_000);
        const headers = {
          'svix-id': 'msg_1',
          'svix-timestamp': String(at.getTime() / 1_000),
          'svix-signature': library.sign('msg_1', at, body),
        };
        const ours = verify(knownSenders.svix, secret, headers, Buffer.from(body));
        expect(ours.valid).toBe(accepts(body, headers));
      }),
      runs,
    );
    vi.useRealTimers();
  });
});

type Case = { tcId: number; key: string; msg: string; tag: string };
const wycheproof = JSON.parse(
  readFileSync(new URL('vectors/wycheproof-hmac-sha256.json', import.meta.url), 'utf8'),
) as Record<'valid' | 'truncated' | 'modifiedInBit0', Case[]>;

describe('Wycheproof', () => {
  const bare: CustomProfileInput = { ...knownSenders.goodstack, keyEncoding: 'hex' };
  const judge = ({ key, msg }: Case, tag: string) =>
    verify(bare, key, { 'Goodstack-Signature': tag }, Buffer.from(msg, 'hex')).valid;

  it.each(wycheproof.valid)('accepts case $tcId, and no shorter tag', (each) => {
    expect(judge(each, each.tag)).toBe(true);
    expect(judge(each, each.tag.slice(0, 32))).toBe(false);
  });

  it.each(wycheproof.truncated)('refuses case $tcId, the first half of a right tag', (each) => {
    expect(judge(each, each.tag)).toBe(false);
  });

  it.each(wycheproof.modifiedInBit0)('refuses case $tcId, and the right tag with any bits flipped', (each) => {
    expect(judge(each, each.tag)).toBe(false);
    const right = Buffer.from(each.tag, 'hex');
    right.writeUInt8(right.readUInt8(0) ^ 1, 0);
    expect(judge(each, right.toString('hex'))).toBe(true);
    const flipped = (bits: readonly number[]): string => {
      const tag = Buffer.from(right);
      for (const bit of bits) tag.writeUInt8(tag.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      return tag.toString('hex');
    };
    const all = Array.from({ length: 256 }, (_, bit) => bit);
    const modified = [...all.map((bit) => [bit]), [0, 64], [31, 63], [63, 127], all].map(flipped);
    const every = (byte: (value: number) => number) => Buffer.from(right.map(byte)).toString('hex');
    const others = [every(() => 0), every(() => 0xff), every((value) => value ^ 0x80), every((value) => value ^ 1)];
    expect([...modified, ...others].filter((tag) => judge(each, tag))).toEqual([]);
  });
});
