import { afterEach, describe, expect, it } from 'vitest';
import { createStage } from './test-upstream.ts';

const { behindHub, strike } = createStage();
afterEach(strike);

const overriding = [
  'CF-Connecting-IP',
  'CF-Connecting-IPv6',
  'Client-IP',
  'Fastly-Client-IP',
  'Forwarded',
  'Forwarded-For',
  'Front-End-Https',
  'Proxy',
  'True-Client-IP',
  'X-Client-IP',
  'X-Cluster-Client-IP',
  'X-Forwarded',
  'X-Forwarded-By',
  'X-Forwarded-Path',
  'X-Forwarded-Port',
  'X-Forwarded-Prefix',
  'X-Forwarded-Scheme',
  'X-Forwarded-Server',
  'X-Forwarded-Ssl',
  'X-Forwarded-Uri',
  'X-Forwarded-User',
  'X-HTTP-Method',
  'X-HTTP-Method-Override',
  'X-Host',
  'X-Method-Override',
  'X-Original-Forwarded-For',
  'X-Original-Host',
  'X-Original-Method',
  'X-Original-URI',
  'X-Original-URL',
  'X-Originating-IP',
  'X-Real-IP',
  'X-Remote-Addr',
  'X-Remote-IP',
  'X-Rewrite-URL',
  'X-Scheme',
  'X-Url-Scheme',
];

describe('headers that say another method, path, host or address than the request', () => {
  it.each(overriding)('never reach the upstream: %s', async (name) => {
    const seen: string[][] = [];
    const hub = await behindHub((request, response) => {
      seen.push(request.rawHeaders);
      response.end();
    });
    for (const spelt of [name, name.toLowerCase(), name.toUpperCase()])
      await hub.ask('/api/reports/x', { method: 'POST', headers: { [spelt]: '/forged' } });
    expect(seen).toHaveLength(3);
    expect(seen.flat()).not.toContain('/forged');
  });

  it('are the hub’s own where it says them itself', async () => {
    const seen: Record<string, unknown>[] = [];
    const hub = await behindHub((request, response) => {
      seen.push(request.headersDistinct);
      response.end();
    });
    const forged = { 'x-forwarded-for': '8.8.8.8', 'x-forwarded-proto': 'gopher', 'x-forwarded-host': 'evil.example' };
    await hub.ask('/api/reports/x', { headers: forged });
    expect(seen).toMatchObject([
      {
        'x-forwarded-for': ['127.0.0.1'],
        'x-forwarded-proto': ['http'],
        'x-forwarded-host': [`127.0.0.1:${hub.port}`],
      },
    ]);
  });
});
