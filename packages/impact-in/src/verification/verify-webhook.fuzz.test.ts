import fc from 'fast-check';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { describe, expect, it, vi } from 'vitest';
import {
  hmacSchemes,
  keyOf,
  nowMs,
  otherSecret,
  receive,
  secret,
  signed,
  withHeader,
  type HmacScheme,
} from './test-requests.ts';

const runs = { numRuns: 400 };
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const scheme = fc.constantFrom(...hmacSchemes);

type Edit = { kind: 'change' | 'insert' | 'delete'; at: number; to: number };
const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('change', 'insert', 'delete'),
  at: fc.nat(10_000),
  to: fc.integer({ min: 0x00, max: 0xff }),
});

const applyEdit = (buffer: Buffer, { kind, at, to }: Edit): Buffer => {
  if (buffer.length === 0) return Buffer.from([to]);
  const index = at % buffer.length;
  const added = kind === 'delete' ? [] : [to];
  return Buffer.concat([
    buffer.subarray(0, index),
    Buffer.from(added),
    buffer.subarray(index + (kind === 'insert' ? 0 : 1)),
  ]);
};

/** Header text is one character per byte, as Node hands it over. */
const applyEdits = (text: Buffer, edits: readonly Edit[]): string => {
  let edited = text;
  for (const change of edits) edited = applyEdit(edited, change);
  return edited.toString('latin1');
};

/** Reduces a header to what it means: blanks around commas and the case of hexadecimal digits mean nothing. */
const meaning = (of: HmacScheme, name: string, value: string): string => {
  if (of === 'benevity-hmac')
    return value
      .replace(/[ \t]*,[ \t]*/g, ',')
      .trim()
      .replace(/(?<=v1=)[0-9a-f]{64}/gi, (hex) => hex.toLowerCase());
  return name === 'X-Goodera-Signature' ? value.replace(/[0-9a-f]{64}$/i, (hex) => hex.toLowerCase()) : value;
};

describe('of arbitrary requests', () => {
  it('what the partner signed is accepted', () => {
    fc.assert(
      fc.property(scheme, bytes, (of, body) => {
        expect(receive(of, signed(of, { body }))).toMatchObject({ valid: true });
      }),
      runs,
    );
  });

  it('none with a changed body is accepted', () => {
    fc.assert(
      fc.property(scheme, bytes, edit, (of, body, change) => {
        const changed = applyEdit(body, change);
        fc.pre(!changed.equals(body));
        expect(receive(of, { ...signed(of, { body }), body: changed })).toMatchObject({ valid: false });
      }),
      runs,
    );
  });

  it('none with a changed signature, timestamp or event id is accepted', () => {
    fc.assert(
      fc.property(
        scheme,
        bytes,
        fc.nat(),
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        (of, body, pick, changes) => {
          const request = signed(of, { body });
          const names = Object.keys(request.headers).filter((name) => name !== 'Content-Type');
          const name = names[pick % names.length] ?? '';
          const value = request.headers[name] ?? '';
          const changed = applyEdits(Buffer.from(value, 'latin1'), changes);
          fc.pre(meaning(of, name, changed) !== meaning(of, name, value));
          expect(receive(of, withHeader(request, name, changed))).toMatchObject({ valid: false });
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('none signed with another secret or for another scheme is accepted', () => {
    fc.assert(
      fc.property(scheme, scheme, bytes, (of, other, body) => {
        expect(receive(of, signed(of, { body, secret: otherSecret }))).toMatchObject({ valid: false });
        if (other !== of) expect(receive(of, signed(other, { body }))).toMatchObject({ valid: false });
      }),
      runs,
    );
  });

  it('none makes the verifier throw, and none is accepted without a signature', () => {
    const names = [
      'X-Benevity-Signature',
      'x-goodera-signature',
      'X-GOODERA-REQUEST-TIMESTAMP',
      'X-Workday-Signature',
      'x-workday-request-timestamp',
      'webhook-signature',
      'webhook-timestamp',
      'webhook-id',
      'Content-Encoding',
    ];
    const stamps = [
      String(nowMs / 1_000),
      new Date(nowMs).toISOString(),
      `t=${nowMs / 1_000},v1=${'0'.repeat(64)}`,
      `sha256=${'a'.repeat(64)}`,
      `v1,${'A'.repeat(43)}=`,
      `${'A'.repeat(43)}=`,
    ];
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.constantFrom(...names),
      fc.constantFrom(...stamps),
    );
    fc.assert(
      fc.property(scheme, fc.array(text, { maxLength: 12 }), bytes, fc.double(), (of, rawHeaders, body, clockMs) => {
        const result = receive(of, { headers: {}, body }, { rawHeaders, nowMs: clockMs });
        expect(result).toMatchObject({ valid: false });
        expect(receive(of, { headers: {}, body }, { rawHeaders })).toMatchObject({ valid: false });
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the Standard Webhooks library as an oracle', () => {
  const library = new Webhook(secret);
  // The library decodes bodies to text, hence well-formed text here.
  const body = fc.string({ unit: 'grapheme', maxLength: 200 }).map((text) => JSON.stringify({ text }));
  const eventId = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/);
  const skewSeconds = fc.integer({ min: -400, max: 400 });

  const libraryAccepts = (text: string, headers: Record<string, string>): boolean => {
    try {
      library.verify(text, headers);
      return true;
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      return false;
    }
  };

  const standard = (headers: Record<string, string>, text: string) =>
    receive('standard-webhooks', { headers, body: Buffer.from(text) });

  it('signs what the hub accepts, and agrees on how old a request may be', () => {
    vi.useFakeTimers({ now: nowMs, toFake: ['Date'] });
    fc.assert(
      fc.property(body, eventId, skewSeconds, (text, id, skew) => {
        const at = new Date(nowMs + skew * 1_000);
        const headers = {
          'webhook-id': id,
          'webhook-timestamp': String(at.getTime() / 1_000),
          'webhook-signature': library.sign(id, at, text),
        };
        expect(standard(headers, text).valid).toBe(libraryAccepts(text, headers));
      }),
      runs,
    );
    vi.useRealTimers();
  });

  it('accepts what the simulators sign, and everything that the hub accepts of it after changes', () => {
    vi.useFakeTimers({ now: nowMs, toFake: ['Date'] });
    fc.assert(
      fc.property(body, eventId, fc.array(edit, { maxLength: 2 }), fc.nat(2), (text, id, changes, pick) => {
        const request = signed('standard-webhooks', { body: Buffer.from(text), eventId: id });
        const name = ['webhook-id', 'webhook-timestamp', 'webhook-signature'][pick] ?? '';
        const headers = { ...request.headers, [name]: applyEdits(Buffer.from(request.headers[name] ?? ''), changes) };
        if (changes.length === 0) expect(libraryAccepts(text, headers)).toBe(true);
        if (standard(headers, text).valid) expect(libraryAccepts(text, headers)).toBe(true);
      }),
      runs,
    );
    vi.useRealTimers();
  });

  // The same 32 bytes, decoded as text, would be replacement characters: here the hub is exact and the library is not.
  it('is beaten on bodies that are not UTF-8', () => {
    const binary = signed('standard-webhooks', { body: Buffer.from([0xff, 0x00, 0xfe]) });
    expect(receive('standard-webhooks', binary)).toMatchObject({ valid: true });
  });
});

describe('keys', () => {
  it('are the whole text for utf8 and the decoded bytes for whsec', () => {
    expect(keyOf('benevity-hmac', secret).export()).toEqual(Buffer.from(secret));
    expect(keyOf('standard-webhooks', secret).export()).toEqual(Buffer.alloc(32, 7));
  });
});
