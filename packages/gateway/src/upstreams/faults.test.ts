import { request as httpRequest } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createStage, problemOf, sendRaw } from './test-upstream.ts';

const { behindHub, hubTo, onEnd, strike } = createStage();
afterEach(strike);

/** Speaks bytes instead of HTTP. */
const startTcp = async (answer: string, end: 'end' | 'reset' | 'stay'): Promise<string> => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(answer, () => {
        if (end === 'end') socket.end();
        if (end === 'reset') setTimeout(() => socket.resetAndDestroy(), 20);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onEnd(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

describe('an upstream that cannot be reached', () => {
  it('is a 502 with a time to come back, also for a request with a body', async () => {
    const hub = await hubTo('http://127.0.0.1:1', { retries: 0 });
    expect(await problemOf(await hub.ask('/api/reports/x'))).toEqual([502, 'upstreams.unreachable', '2']);
    const body = 'x'.repeat(5_000_000);
    const answer = await sendRaw(
      hub.port,
      `POST /api/reports/x HTTP/1.1\r\nhost: x\r\nx-api-key: reports:write\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 100_000)}`,
    );
    expect(answer).toContain('502 Bad Gateway');
    expect(answer).toContain('upstreams.unreachable');
  });

  it('opens the circuit, is left alone, and is tried again when the time is over', async () => {
    let isBroken = true;
    let seen = 0;
    const hub = await behindHub((_request, response) => {
      seen += 1;
      response.statusCode = isBroken ? 500 : 200;
      response.end();
    });
    for (let call = 0; call < 5; call += 1) expect((await hub.ask('/api/reports/x')).status).toBe(500);
    expect(await problemOf(await hub.ask('/api/reports/x'))).toEqual([503, 'upstreams.circuit_open', '60']);
    expect(seen).toBe(5);
    expect(hub.breakers.list()).toMatchObject([{ name: 'upstream:reports', state: 'open' }]);
    isBroken = false;
    hub.clock.advanceMs(60_000);
    expect((await hub.ask('/api/reports/x')).status).toBe(200);
    expect((await hub.ask('/api/reports/x')).status).toBe(200);
    expect(hub.breakers.list()).toMatchObject([{ state: 'closed' }]);
  });

  it('does not count answers of 4xx against it, save 429', async () => {
    let status = 404;
    const hub = await behindHub((_request, response) => {
      response.statusCode = status;
      response.end();
    });
    for (let call = 0; call < 6; call += 1) expect((await hub.ask('/api/reports/x')).status).toBe(404);
    status = 429;
    for (let call = 0; call < 5; call += 1) expect((await hub.ask('/api/reports/x')).status).toBe(429);
    expect((await hub.ask('/api/reports/x')).status).toBe(503);
  });
});

describe('retries', () => {
  it('hide a failure of a GET without a body', async () => {
    let seen = 0;
    const hub = await behindHub((request, response) => {
      seen += 1;
      if (seen === 1) return void request.socket.destroy();
      response.statusCode = seen === 2 ? 503 : 200;
      return void response.end(`attempt ${seen}`);
    });
    const answer = await hub.ask('/api/reports/x');
    expect([answer.status, await answer.text()]).toEqual([200, 'attempt 3']);
    expect(await hub.metrics.metrics()).toContain('upstream_requests_total{upstream="reports",outcome="retried"} 2');
  });

  it('are not spent on answers that are no HTTP', async () => {
    const hub = await hubTo(await startTcp('SSH-2.0-hello\r\n', 'end'));
    expect(await problemOf(await hub.ask('/api/reports/x'))).toEqual([502, 'upstreams.bad_answer', null]);
    expect(await hub.metrics.metrics()).toContain('upstream_requests_total{upstream="reports",outcome="retried"} 0');
  });

  it('never send a change twice', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      let seen = 0;
      const hub = await behindHub((request) => {
        seen += 1;
        request.socket.destroy();
      });
      expect(await problemOf(await hub.ask('/api/reports/x', { method })), method).toEqual([
        502,
        'upstreams.bad_answer',
        null,
      ]);
      expect(seen).toBe(1);
    }
  });

  it('give the upstream’s own answer when there are no more of them', async () => {
    let seen = 0;
    const hub = await behindHub(
      (_request, response) => {
        seen += 1;
        response.statusCode = 503;
        response.setHeader('retry-after', '77');
        response.end('resting');
      },
      { breaker: { failureThreshold: 100 } },
    );
    const answer = await hub.ask('/api/reports/x');
    expect([answer.status, answer.headers.get('retry-after'), await answer.text()]).toEqual([503, '77', 'resting']);
    expect(seen).toBe(3);
  });

  it('are bounded by a budget, not multiplied by an outage', async () => {
    let seen = 0;
    const hub = await behindHub(
      (_request, response) => {
        seen += 1;
        response.statusCode = 503;
        response.end();
      },
      { breaker: { failureThreshold: 1_000 } },
    );
    for (let call = 0; call < 50; call += 1) await hub.ask('/api/reports/x');
    expect(seen).toBeLessThanOrEqual(50 + 10 + 5);
  });
});

describe('an upstream that breaks off', () => {
  const brokenOff = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf';
  const brokenChunks = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n';
  it.each([
    ['a known length, ended', brokenOff, 'end'],
    ['a known length, reset', brokenOff, 'reset'],
    ['chunks, ended', brokenChunks, 'end'],
    ['chunks, reset', brokenChunks, 'reset'],
  ] as const)('breaks the client’s connection, too: %s', async (_what, text, end) => {
    const hub = await hubTo(await startTcp(text, end), { retries: 0 });
    const answer = await sendRaw(hub.port, 'GET /api/reports/x HTTP/1.1\r\nhost: x\r\nx-api-key: reports:read\r\n\r\n');
    expect(answer).toContain('half');
    expect(answer).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(hub.breakers.list()).toMatchObject([{ failures: 1 }]);
    await expect(hub.ask('/api/reports/x').then((response) => response.text())).rejects.toThrow(/terminated|failed/);
  });

  it('or answers something else than HTTP is a 502', async () => {
    for (const text of ['SSH-2.0-hello\r\n', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab']) {
      const hub = await hubTo(await startTcp(text, 'end'), { retries: 0 });
      expect(await problemOf(await hub.ask('/api/reports/x'))).toEqual([502, 'upstreams.bad_answer', null]);
    }
  });
});

describe('a client', () => {
  it('that goes away ends the request to the upstream, and says nothing about the upstream', async () => {
    const aborted = vi.fn<() => void>();
    const hub = await behindHub((request, response) => {
      response.write('begin');
      request.socket.on('close', aborted);
    });
    const controller = new AbortController();
    const answer = await hub.ask('/api/reports/x', { signal: controller.signal });
    expect(answer.status).toBe(200);
    controller.abort();
    await expect.poll(() => aborted).toHaveBeenCalled();
    await expect.poll(() => hub.breakers.list()).toMatchObject([{ failures: 0, totals: { cancel: 1 } }]);
  });

  it('that breaks off its upload leaves the upstream with a broken request, not a short one', async () => {
    const ends: string[] = [];
    let received = '';
    const hub = await behindHub((request) => {
      request.on('end', () => ends.push('complete'));
      request.on('error', () => ends.push('broken'));
      request.on('data', (part) => (received += String(part)));
    });
    const socket = connect(hub.port, '127.0.0.1', () =>
      socket.write(
        'POST /api/reports/x HTTP/1.1\r\nhost: x\r\nx-api-key: reports:write\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n',
      ),
    );
    await expect.poll(() => received).toBe('half');
    socket.resetAndDestroy();
    await expect.poll(() => ends).toEqual(['broken']);
  });

  it('may not send more than the upstream takes, announced or not', async () => {
    const hub = await behindHub(
      (request, response) => {
        request.resume();
        request.on('end', () => response.end());
      },
      { maxBodyBytes: 1_000 },
    );
    expect((await hub.ask('/api/reports/x', { method: 'POST', body: 'x'.repeat(1_000) })).status).toBe(200);
    const big = await hub.ask('/api/reports/x', { method: 'POST', body: 'x'.repeat(1_001) });
    expect((await problemOf(big))[1]).toBe('request.body_too_large');
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = httpRequest(`${hub.url}/api/reports/x`, { method: 'POST', headers: hub.headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      sent.write('x'.repeat(600));
      setTimeout(() => sent.end('x'.repeat(600)), 20);
    });
    expect(status).toBe(413);
    expect(hub.breakers.list()).toMatchObject([{ failures: 0 }]);
  });
});
