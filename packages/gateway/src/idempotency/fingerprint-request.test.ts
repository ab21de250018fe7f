import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from './canonical-json.ts';
import { fingerprintRequest, type FingerprintedRequest } from './fingerprint-request.ts';

const shuffled = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, field]) => [name, shuffled(field)]),
  );
};

const request: FingerprintedRequest = {
  method: 'POST',
  path: '/things/:id',
  params: { id: '1' },
  query: { a: '1' },
  body: { name: 'x', list: [1, 2] },
};

describe('canonical JSON', () => {
  it('does not depend on the order of properties, and is the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(shuffled(value))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('tells apart what JSON tells apart', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const isSame = canonicalJson(JSON.parse(JSON.stringify(a))) === canonicalJson(JSON.parse(JSON.stringify(b)));
        const normal = (value: unknown) => JSON.stringify(shuffled(shuffled(value)));
        if (normal(a) === normal(b)) expect(isSame).toBe(true);
        if (isSame) expect(JSON.parse(canonicalJson(a))).toEqual(JSON.parse(canonicalJson(b)));
      }),
    );
    expect(canonicalJson({ b: 1, a: { d: null, c: [] } })).toBe('{"a":{"c":[],"d":null},"b":1}');
  });

  it('has no depth at which it fails', () => {
    const depth = 200_000;
    expect(canonicalJson(JSON.parse('['.repeat(depth) + ']'.repeat(depth)))).toHaveLength(2 * depth);
  });
});

describe('a fingerprint', () => {
  it('changes with the method, the route, its parameters, the query and the body', () => {
    const others: FingerprintedRequest[] = [
      request,
      { ...request, method: 'PUT' },
      { ...request, path: '/others/:id' },
      { ...request, params: { id: '2' } },
      { ...request, query: {} },
      { ...request, body: { name: 'x', list: [2, 1] } },
      { ...request, body: undefined },
      { ...request, body: {} },
      { ...request, body: Buffer.from('{}') },
    ];
    expect(new Set(others.map((one) => fingerprintRequest(one).toString('hex'))).size).toBe(others.length);
  });
});
