import { afterEach, describe, expect, it } from 'vitest';
import { createStage, problemOf } from './test-upstream.ts';

const { behindHub, hubTo, strike } = createStage();
afterEach(strike);

describe('a slow upstream', () => {
  it('is a 504 when its answer does not begin in time', async () => {
    const hub = await behindHub(() => undefined, { timeoutMs: 100, retries: 0 });
    expect(await problemOf(await hub.ask('/api/reports/x'))).toEqual([504, 'upstreams.timeout', '5']);
    expect(await problemOf(await hub.ask('/api/reports/x', { method: 'POST', body: 'x' }))).toEqual([
      504,
      'upstreams.timeout',
      '5',
    ]);
    expect(hub.breakers.list()).toMatchObject([{ failures: 2 }]);
  });

  it('is not asked again when it was too slow', async () => {
    let seen = 0;
    const hub = await behindHub(() => void (seen += 1), { timeoutMs: 100, retries: 5 });
    expect(await problemOf(await hub.ask('/api/reports/x'))).toEqual([504, 'upstreams.timeout', '5']);
    expect(seen).toBeLessThanOrEqual(1);
  });

  it('has one time for all attempts together', async () => {
    let seen = 0;
    const hub = await behindHub(
      (_request, response) => {
        seen += 1;
        setTimeout(() => response.writeHead(503).end(), 200);
      },
      { timeoutMs: 300, retries: 5 },
    );
    expect(await problemOf(await hub.ask('/api/reports/x'))).toEqual([504, 'upstreams.timeout', '5']);
    expect(seen).toBeLessThanOrEqual(2);
    await expect.poll(() => hub.metrics.metrics()).toContain('upstream_requests_in_flight{upstream="reports"} 0');
  });

  it('is not asked again when the time left would pass before that', async () => {
    let seen = 0;
    const hub = await behindHub(
      (_request, response) => {
        seen += 1;
        response.writeHead(503).end('resting');
      },
      { timeoutMs: 2_000, retries: 5 },
      { random: () => 100 },
    );
    const answer = await hub.ask('/api/reports/x');
    expect([answer.status, await answer.text(), seen]).toEqual([503, 'resting', 1]);
  });

  it('is a 504, too, when not even its connection stands in time', async () => {
    const settings = { timeoutMs: 100, connectTimeoutMs: 500, allowPrivateAddresses: false };
    const hub = await hubTo('http://slow.example', settings, { lookUp: () => undefined });
    expect(await problemOf(await hub.ask('/api/reports/x'))).toEqual([504, 'upstreams.timeout', '5']);
    expect(hub.breakers.list()).toMatchObject([{ failures: 1 }]);
  });

  it('may take longer for the body of its answer', async () => {
    const hub = await behindHub(
      (_request, response) => {
        response.write('slow ');
        setTimeout(() => response.end('body'), 1_200);
      },
      { timeoutMs: 1_000 },
    );
    expect(await (await hub.ask('/api/reports/x')).text()).toBe('slow body');
  });

  it('ends with the connection when its body stops coming', async () => {
    const hub = await behindHub((_request, response) => void response.write('half'), {
      idleTimeoutMs: 100,
      retries: 0,
    });
    const answer = await hub.ask('/api/reports/x');
    await expect(answer.text()).rejects.toThrow('terminated');
  });

  it('may be silent for longer than the hub lets its other connections be', async () => {
    const limits = { socketIdleTimeoutMs: 100 };
    const hub = await behindHub(
      (_request, response) => void setTimeout(() => response.end('late'), 400),
      { timeoutMs: 10_000 },
      { limits },
    );
    expect(await (await hub.ask('/api/reports/x')).text()).toBe('late');
    expect(await (await hub.ask('/api/reports/x')).text()).toBe('late');
  });

  it('takes only so many requests at once', async () => {
    const waiting: (() => void)[] = [];
    const hub = await behindHub((_request, response) => void waiting.push(() => response.end()), { maxConcurrent: 2 });
    const first = [hub.ask('/api/reports/x'), hub.ask('/api/reports/x')];
    await expect.poll(() => waiting).toHaveLength(2);
    expect(await problemOf(await hub.ask('/api/reports/x'))).toEqual([503, 'upstreams.busy', '1']);
    waiting.forEach((finish) => finish());
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
    expect(await hub.metrics.metrics()).toContain('upstream_requests_in_flight{upstream="reports"} 0');
  });
});
