import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refuseCollisions } from './refuse-collisions.ts';
import { targetPathOf } from './target-path.ts';
import { parseUpstreamsFile, UpstreamsFileError } from './upstream-settings.ts';

const good = { name: 'reports', prefix: '/api/reports', target: 'https://reports.example', scopes: ['reports:read'] };
const parse = (...changes: Record<string, unknown>[]) =>
  parseUpstreamsFile(JSON.stringify({ upstreams: changes.map((change) => ({ ...good, ...change })) }), [
    'reports:read',
    'reports:write',
  ]);

describe('the upstreams file', () => {
  it('needs little, and fills in the rest', () => {
    expect(parse({}).upstreams[0]).toMatchObject({
      scopes: { read: ['reports:read'], write: ['reports:read'] },
      stripPrefix: true,
      allowPrivateAddresses: false,
      retries: 2,
      breaker: { failureThreshold: 5, openMs: 60_000, minFailureShare: 0.1 },
    });
    const declared = { scopes: { 'maps:draw': 'Draw maps.' }, upstreams: [{ ...good, scopes: ['maps:draw'] }] };
    expect(parseUpstreamsFile(JSON.stringify(declared), []).scopes).toEqual({ 'maps:draw': 'Draw maps.' });
  });

  it.each([
    [[{ target: 'ftp://x' }], /^upstreams\[0\]\.target: must be an http/],
    [[{ target: 'http://user:pass@x' }], /^upstreams\[0\]\.target: must be .* without credentials/],
    [[{ target: 'http://127.0.0.1:8080' }], /^upstreams\[0\]\.target is the private address 127\.0\.0\.1;/],
    [[{ target: 'http://0x7f000001' }], /private address 127\.0\.0\.1/],
    [[{ target: 'http://[::1]' }], /private address ::1/],
    [[{ prefix: '/' }], /^upstreams\[0\]\.prefix: must be a path/],
    [[{ prefix: '/a/../b' }], /^upstreams\[0\]\.prefix: must be a path/],
    [[{ scopes: ['made:up'] }], /^upstreams\[0\]\.scopes names made:up, which no part of the hub knows/],
    [[{ scopes: [] }], /^upstreams\[0\]\.scopes/],
    [[{ timeout: 5 }], /^upstreams\[0\]: Unrecognized key: "timeout"/],
    [[{ breaker: { openMs: 0 } }], /^upstreams\[0\]\.breaker\.openMs: /],
    [[{}, { prefix: '/other' }], /^upstreams\[0\]\.name is taken by upstreams\[1\]/],
    [[{}, { name: 'b', prefix: '/api/reports/inner' }], /^upstreams\[0\]\.prefix overlaps/],
  ])('is refused with one sentence that names the field: %j', (changes, message) => {
    expect(() => parse(...changes)).toThrow(UpstreamsFileError);
    expect(() => parse(...changes)).toThrow(message);
  });

  it('may not give the hub’s own scopes another meaning', () => {
    const text = JSON.stringify({ scopes: { 'reports:read': 'Delete everything.' }, upstreams: [] });
    expect(() => parseUpstreamsFile(text, ['reports:read'])).toThrow(/^scopes\.reports:read is already one/);
  });

  it('that is no JSON is refused', () => {
    expect(() => parseUpstreamsFile('{', [])).toThrow(/^is not valid JSON/);
    expect(() => parseUpstreamsFile('[]', [])).toThrow(/^the file: /);
  });

  it.each([
    ['/api/v1', '/api/v1'],
    ['/api/v1/new', '/api/v1'],
    ['/api', '/api/health'],
    ['/docs', '/docs'],
    ['/health', '/health'],
    ['/webhooks/extra', '/webhooks'],
    ['/things/other/part', '/things/:id/part'],
    ['/things', '/things/:id/part'],
  ])('may not take %s from the hub', (prefix, own) => {
    const check = () => refuseCollisions(parse({ prefix }).upstreams, ['/health', '/things/:id/part']);
    expect(check).toThrow(`upstreams[0].prefix ${prefix} collides with the hub's own ${own}`);
  });

  it('may stand beside the hub’s own routes', () => {
    expect(() => refuseCollisions(parse({}).upstreams, ['/health', '/things/:id/part', '/api'])).not.toThrow();
  });
});

describe('target paths', () => {
  it('never leave the target’s own path, however often and with whatever leniency they are decoded', () => {
    const toTarget = targetPathOf({ prefix: '/p', target: 'http://x/base', stripPrefix: true });
    const part = fc.constantFrom(
      '.',
      '..',
      '%2e',
      '%2E',
      '%252e',
      '/',
      '%2f',
      '%252f',
      '\\',
      '%5c',
      'a',
      ';',
      '?',
      '%3f',
      '%253f',
      '%23',
      '%2523',
      '%20',
      '%2520',
      '%09',
      '%00',
      '%7f',
      '%',
      '25',
    );
    const decode = (text: string): string =>
      text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    /** What servers make of a path they have decoded: as it is, cut off, without blanks, without parameters. */
    const leniently: ((text: string) => string)[] = [
      (text) => text,
      (text) => text.replaceAll(/[?#][^/\\]*/g, ''),
      (text) => text.replaceAll(/\s+(?=[/\\]|$)/g, ''),
      (text) => text.replaceAll(/(?<=[/\\])\s+/g, ''),
      (text) => text.replaceAll(/\s*[;?#][^/\\]*/g, ''),
    ];
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        let path: string;
        try {
          path = toTarget(`/p/${parts.join('')}`);
        } catch {
          return;
        }
        path = path.replace(/\?.*/, '');
        for (let before = ''; path !== before; path = decode(path)) {
          for (const read of leniently) {
            const { pathname, host } = new URL(read(path).replaceAll('\\', '/'), 'http://x');
            expect([path, host, pathname.startsWith('/base/')]).toEqual([path, 'x', true]);
          }
          // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
          expect(path).not.toMatch(/[\u0000-\u001f\u007f]/);
          before = path;
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
