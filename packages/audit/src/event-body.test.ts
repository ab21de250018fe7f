import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from './audit-event.ts';
import { encodeEventBody, eventBody, maxBodyBytes } from './event-body.ts';
import { leafHash } from './leaf-hash.ts';
import { toJsonValue } from './to-json-value.ts';

const stamp = { id: '0197f3a0-0000-7000-8000-000000000001', at: new Date('2026-01-15T12:00:00.123Z'), companyId: null };
const event: AuditEvent = { type: 'api_key.created', category: 'admin', actor: { kind: 'system', id: 'hub' } };
const encode = (extra: Partial<AuditEvent>) => encodeEventBody(eventBody({ ...event, ...extra }, stamp));

describe('the event body', () => {
  it('is canonical JSON (RFC 8785): names sorted, no spaces, milliseconds, absent fields left out', () => {
    expect(encode({ changes: { z: 1, a: [true, null, 1e21, 'é\n'] } }).toString()).toBe(
      '{"actor":{"id":"hub","kind":"system"},"at":"2026-01-15T12:00:00.123Z","category":"admin",' +
        '"changes":{"a":[true,null,1e+21,"é\\n"],"z":1},"companyId":null,' +
        '"id":"0197f3a0-0000-7000-8000-000000000001","result":"success","severity":"info","type":"api_key.created","v":1}',
    );
  });

  it('does not depend on the order in which fields were given', () => {
    expect(encode({ metadata: { a: 1, b: { c: 2, d: 3 } } })).toEqual(
      encode({ metadata: { b: { d: 3, c: 2 }, a: 1 } }),
    );
  });

  it('reads back as the JSON value that was given', () => {
    fc.assert(
      fc.property(fc.jsonValue({ depthSize: 'small', maxDepth: 5 }), (value) => {
        fc.pre(
          !/[":][^"]*(secret|pass|pwd|key|token|cred|auth|cookie|otp|pin|bearer|jwt|:\/\/)/i.test(
            JSON.stringify(value),
          ),
        );
        const read = JSON.parse(encode({ metadata: { value } }).toString()) as { metadata: { value: unknown } };
        // RFC 8785 writes -0 as 0, as JSON.stringify does.
        expect(read.metadata.value).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('carries no secret, however deep, and says that there was one', () => {
    const text = encode({
      changes: {
        endpoint: { secrets: ['s3cr3t-1'], name: 'x', rotation: [{ newPassword: 's3cr3t-2', keyId: 'shown' }] },
      },
      metadata: { apiKey: { value: 's3cr3t-3' }, token: 31337, passwordRequired: true },
    }).toString();
    expect(text).not.toMatch(/s3cr3t|31337/);
    expect(text).toContain('"secrets":"[redacted]"');
    expect(text).toContain('"keyId":"shown"');
    expect(text).toContain('"passwordRequired":true');
  });

  it('keeps only id, address and user agent of a request', () => {
    const request = { id: 'r', ip: '192.0.2.1', userAgent: 'x'.repeat(2_000), headers: { cookie: 'c' } };
    const body = JSON.parse(encode({ request }).toString()) as { request: Record<string, string> };
    expect(Object.keys(body.request).sort()).toEqual(['id', 'ip', 'userAgent']);
    expect(body.request['userAgent']).toHaveLength(512);
    expect(encode({ request: { id: 'r', ip: '::1', userAgent: undefined } }).toString()).toContain(
      '{"id":"r","ip":"::1"}',
    );
  });

  it('replaces what is too long by its digest, metadata first', () => {
    const long = 'ä'.repeat(40_000);
    const metadata = { long };
    const bytes = encode({ changes: { name: 'kept' }, metadata });
    expect(bytes.length).toBeLessThanOrEqual(maxBodyBytes);
    const body = JSON.parse(bytes.toString()) as { changes: unknown; metadata: unknown };
    const original = Buffer.from(JSON.stringify(metadata));
    expect(body.changes).toEqual({ name: 'kept' });
    expect(body.metadata).toEqual({
      omittedBytes: original.length,
      sha256: createHash('sha256').update(original).digest('hex'),
    });
    expect(encode({ changes: metadata, metadata }).length).toBeLessThanOrEqual(maxBodyBytes);
  });
});

describe('what is no JSON', () => {
  it.each([
    ['undefined', undefined],
    ['an undefined array item', [undefined]],
    ['a Map', new Map()],
    ['a Set', new Set()],
    ['a Buffer', Buffer.from('x')],
    ['a class instance', new URL('https://example.org')],
    ['a toJSON function', { toJSON: () => 1 }],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['an invalid date', new Date(Number.NaN)],
  ])('is refused instead of being altered: %s', (_, value) => {
    expect(() => toJsonValue({ field: value }, 'changes')).toThrow(/^audit event field changes\/field/);
  });

  it('does not refuse what callers of the API can type: lone surrogates, NUL, __proto__, 1e999, depth', () => {
    const typed = JSON.parse('{"__proto__":{"a":"\\ud800"},"n":"\\u0000","i":-1e999,"toJSON":1}') as Record<
      string,
      unknown
    >;
    const json = JSON.stringify(toJsonValue(typed, 'changes'));
    expect(json).toBe('{"__proto__":{"a":"\ufffd"},"n":"\\u0000","i":"-Infinity","toJSON":1}');
    const deep: unknown = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000));
    expect(JSON.stringify(toJsonValue(deep, 'changes'))).toContain('["[more than 20 levels deep]"]');
    expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  });

  it('writes dates as ISO text', () => expect(toJsonValue(stamp.at, 'changes')).toBe('2026-01-15T12:00:00.123Z'));
});

it('hashes a leaf as RFC 6962 does', () => {
  // The empty leaf of the certificate-transparency test data.
  expect(leafHash(Buffer.alloc(0)).toString('hex')).toBe(
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  );
});
