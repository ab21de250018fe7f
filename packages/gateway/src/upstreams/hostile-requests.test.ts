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
      '/api/reports/keep/..%23/x',
      '/api/reports/keep/..%3f',
      '/api/reports/keep/..%3F/x',
      '/api/reports/keep/..%20/x',
      '/api/reports/keep/%20..%20%3b/x',
      '/api/reports/keep/..;x',
      '/api/reports/keep/.%23',
      '/api/reports/keep/..%2523/x',
      '/api/reports/keep/..%2520/x',
      '/api/reports/keep/..%09/x',
      '/api/reports/keep/a%7fb',
      '/api/reports/keep/a%1fb',
      '/api/reports/keep/a%2500b',
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
    const good = [
      '/a%2Fb',
      '/.well-known',
      '/a..b',
      '/100%25',
      '/a%20b',
      '/a%3Fb',
      '/a%23b',
      '/..a%20b',
      '/x?y=..%23%0a',
    ];
    for (const path of good) expect((await hub.ask(`/api/reports${path}`)).status, path).toBe(200);
    expect(seen).toEqual(good);
  });
});

it('a content type that is none passes through: it is the service’s to judge', async () => {
  const seen: unknown[] = [];
  const hub = await behindHub((request, response) => {
    seen.push(request.headers['content-type']);
    request.resume().on('end', () => response.end());
  });
  const head = 'POST /api/reports/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: reports:write\r\n';
  for (const type of ['nonsense', ';;;', 'a/b; =', 'application/json; charset=utf-16'])
    expect(await sendRaw(hub.port, `${head}content-type: ${type}\r\ncontent-length: 1\r\n\r\n{`)).toMatch(/ 200 OK/);
  expect(seen).toEqual(['nonsense', ';;;', 'a/b; =', 'application/json; charset=utf-16']);
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
