import type { LookUp } from '@impact-hub/core';
import { afterEach, describe, expect, it } from 'vitest';
import { createStage, problemOf } from './test-upstream.ts';

const { behindHub, hubTo, service, strike } = createStage();
afterEach(strike);

describe('a target that leads inside', () => {
  const answering =
    (...addresses: string[]): LookUp =>
    (_host, _options, done) =>
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );

  it.each([
    ['127.0.0.1'],
    ['169.254.169.254'],
    ['10.0.0.1'],
    ['::1'],
    ['::ffff:127.0.0.1'],
    ['fd00::1'],
    ['0.0.0.0'],
    ['64:ff9b::7f00:1'],
    ['93.184.216.34', '127.0.0.1'],
  ])('is refused: a name that resolves to %s', async (...addresses) => {
    const hub = await hubTo(
      'http://reports.example',
      { allowPrivateAddresses: false, retries: 0 },
      { lookUp: answering(...addresses) },
    );
    expect(await problemOf(await hub.ask('/api/reports/x'))).toEqual([502, 'upstreams.address_refused', null]);
  });

  it('is judged by the very answer that is connected to, so that no second one can differ', async () => {
    let asked = 0;
    let seen = 0;
    const inside = await service((_request, response) => {
      seen += 1;
      response.end();
    });
    const rebinding: LookUp = (_host, _options, done) => {
      asked += 1;
      done(null, [{ address: asked === 1 ? '192.0.2.1' : '127.0.0.1', family: 4 }]);
    };
    const hub = await hubTo(
      inside.url.replace('127.0.0.1', 'reports.example'),
      { allowPrivateAddresses: false, retries: 2 },
      { lookUp: rebinding },
    );
    expect((await hub.ask('/api/reports/x')).status).toBe(502);
    expect(seen).toBe(0);
  });

  it('is reached when the operator allows it', async () => {
    const hub = await behindHub((_request, response) => response.end('inside'));
    expect(await (await hub.ask('/api/reports/x')).text()).toBe('inside');
  });
});
