import { afterEach, describe, expect, it } from 'vitest';
import { createStage, sendRaw } from './test-upstream.ts';

const { behindHub, strike } = createStage();
afterEach(strike);

describe('paths that could lead out of the prefix', () => {
  it('are refused before anything goes out', async () => {
    const seen: string[] = [];
    const hub = await behindHub((request, response) => {
      seen.push(request.url ?? '');
      response.end();
    });
    const bad = [
      '/api/reports/../admin',
      '/api/reports/./admin',
      '/api/reports/%2e%2e/admin',
      '/api/reports/%2E./admin',
      '/api/reports/..%2fadmin',
      '/api/reports/..%5cadmin',
      '/api/reports/..\\admin',
      '/api/reports/%252e%252e/admin',
      '/api/reports/%252e%252e%252fadmin',
      '/api/reports/a/..;/admin',
      '/api/reports/%2e%2e%3b/admin',
      '/api/reports//evil.example/x',
      '/api/reports/%2fevil.example',
      '/api/reports/a%00b',
      '/api/reports/a%0d%0ab',
      '/api/reports/%zz',
      '/api/reports/%c0%ae%c0%ae/admin',
      '/api/reports/..',
      '/api/re%70orts/x',
      'http://evil.example/api/reports/x',
      '/api/reportsx',
    ];
    for (const path of bad) {
      const answer = await sendRaw(
        hub.port,
        `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: reports:read\r\n\r\n`,
      );
      expect(answer, path).toMatch(/^HTTP\/1.1 40[04] /);
    }
    expect(seen).toEqual([]);
    for (const path of ['/api/reports/a%2Fb', '/api/reports/.well-known', '/api/reports/a..b', '/api/reports/100%25'])
      expect((await hub.ask(path)).status, path).toBe(200);
    expect(seen).toEqual(['/a%2Fb', '/.well-known', '/a..b', '/100%25']);
  });
});

describe('requests that mean two things', () => {
  it.each([
    ['two lengths', 'content-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    ['length and chunks', 'content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['chunks twice encoded', 'transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['a length that is none', 'content-length: +1\r\n\r\na'],
  ])('are refused: %s', async (_what, rest) => {
    let seen = 0;
    const hub = await behindHub((_request, response) => {
      seen += 1;
      response.end();
    });
    const head = `POST /api/reports/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: reports:write\r\n`;
    const answer = await sendRaw(hub.port, head + rest);
    expect(answer).not.toMatch(/^HTTP\/1.1 2/);
    expect(seen).toBe(0);
  });
});
