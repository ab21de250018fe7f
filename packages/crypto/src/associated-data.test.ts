import { describe, expect, it } from 'vitest';
import { associatedData } from './associated-data.ts';

const scope = { companyId: '0197f3a0-0000-7000-8000-000000000001', purpose: 'test.purpose' };
const key = { kid: '0197f3a0-0000-7000-8000-00000000000a', version: 3 };

describe('associated data', () => {
  it('is the canonical JSON (RFC 8785) of algorithm, company, context, key, purpose and version', () => {
    expect(associatedData(scope, key, { row: '7', 'ä"': 'x\u0000', column: 'c' }).toString()).toBe(
      `{"alg":"XAES-256-GCM","company":"${scope.companyId}","ctx":{"column":"c","row":"7","ä\\"":"x\\u0000"},` +
        `"kid":"${key.kid}","purpose":"test.purpose","ver":3}`,
    );
  });

  it('sorts names by UTF-16 code unit, as RFC 8785 section 3.2.3 shows', () => {
    const names = ['\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6'];
    const text = associatedData(scope, key, Object.fromEntries(names.map((name) => [name, '']))).toString();
    const order = Object.keys((JSON.parse(text) as { ctx: Record<string, string> }).ctx);
    expect(order).toEqual(['1', '\r', '\u0080', '\u00f6', '\u20ac', '\u{1f600}', '\ufb33']);
  });

  it('keeps a text context and an object context apart', () => {
    expect(associatedData(scope, key, '{"a":"b"}')).not.toEqual(associatedData(scope, key, { a: 'b' }));
  });

  it('refuses an empty context and text that has no canonical form', () => {
    expect(() => associatedData(scope, key, {})).toThrow(TypeError);
    expect(() => associatedData(scope, key, '')).toThrow(TypeError);
    expect(() => associatedData(scope, key, { row: '\ud800' })).toThrow(TypeError);
  });
});
