import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapeXml, readEnvelope, writeEnvelope } from './soap.ts';

const enveloped = (body: string, prefix = 's') =>
  `<?xml version="1.0"?><${prefix}:Envelope xmlns:${prefix}="http://schemas.xmlsoap.org/soap/envelope/"><${prefix}:Body>${body}</${prefix}:Body></${prefix}:Envelope>`;

describe('an envelope', () => {
  test('holds any text as that text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ minLength: 1 }), (text, password) => {
        const request = { element: 'Request', namespace: 'urn:x', fields: { activity: text } };
        const envelope = writeEnvelope({ username: 'u', password }, request);
        const read = readEnvelope(envelope);
        expect(read?.kind).toBe('response');
        const kept = text.replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD').trim();
        const found = read?.kind === 'response' ? String(read.fields['activity'] ?? '') : '';
        expect(found.trim()).toBe(kept);
      }),
      { numRuns: 300 },
    );
  });

  test('lets nothing out of its place', () => {
    expect(escapeXml(`</w:activity><evil a="1" b='2'>&amp;`)).toBe(
      '&lt;/w:activity&gt;&lt;evil a=&quot;1&quot; b=&apos;2&apos;&gt;&amp;amp;',
    );
  });

  test.each([
    ['a document type', `<!DOCTYPE a [<!ENTITY x "y">]>${enveloped('<r><id>&x;</id></r>')}`],
    ['an external entity', `<!DOCTYPE a SYSTEM "file:///etc/passwd">${enveloped('<r/>')}`],
    ['a lower-case document type', `<!doctype a>${enveloped('<r><id>1</id></r>')}`],
    ['a document type inside', enveloped('<!DOCTYPE a><r><id>1</id></r>')],
    ['no envelope', '<html><body>no</body></html>'],
    ['nothing', ''],
    ['no XML', '{"status":"success"}'],
    ['an empty body', enveloped('')],
    ['nesting without end', enveloped('<a>'.repeat(500))],
  ])('is not read from %s', (_what, text) => expect(readEnvelope(text)).toBeUndefined());

  test('expands no entities', () => {
    const read = readEnvelope(enveloped('<r><id>&#65;&unknown;&lt;</id></r>'));
    expect(read).toEqual({ kind: 'response', fields: { id: '&#65;&unknown;<' } });
  });

  test('is read with a fault of SOAP 1.1 and 1.2', () => {
    expect(
      readEnvelope(enveloped('<s:Fault><faultcode>s:Client.auth</faultcode><faultstring>No</faultstring></s:Fault>')),
    ).toEqual({
      kind: 'fault',
      code: 'Client.auth',
      reason: 'No',
    });
    const fault12 =
      '<e:Fault><e:Code><e:Value>e:Receiver</e:Value></e:Code><e:Reason><e:Text xml:lang="en">Later</e:Text></e:Reason></e:Fault>';
    expect(readEnvelope(enveloped(fault12, 'e'))).toEqual({ kind: 'fault', code: 'Receiver', reason: 'Later' });
  });

  test('is read or refused, whatever bytes come', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(200), (noise, at) => {
        const text = enveloped('<w:R><id>1</id><status>success</status></w:R>');
        expect(() => readEnvelope(text.slice(0, at) + noise + text.slice(at))).not.toThrow();
      }),
      { numRuns: 500 },
    );
  });
});
