import { connect, createServer, type Socket } from 'node:net';
import { connectSql } from '@impact-hub/core';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { eventOf, sendSigned, useTestHub } from '../test-hub.ts';
import { inboxLimits } from './group-commit.ts';

const { deadlineMs } = inboxLimits;
/** What a busy machine may add. */
const slackMs = 2_000;

/** A line to Postgres that can be cut, or made silent, for the receipts' pool alone. */
const openLine = async (host: string, port: number) => {
  const sockets = new Set<Socket>();
  let isCut = false;
  let isSilent = false;
  const server = createServer((client) => {
    if (isCut) return void client.destroy();
    const upstream = connect(port, host);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('data', (data) => void to.write(data));
      from.on('error', () => undefined);
      from.on('close', () => (to.destroy(), sockets.delete(from)));
      if (isSilent) from.pause();
    }
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    silence: () => {
      isSilent = true;
      for (const socket of sockets) socket.pause();
    },
    mend: () => {
      isCut = isSilent = false;
      for (const socket of sockets) socket.resume();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
};

let line: Awaited<ReturnType<typeof openLine>>;
afterAll(() => line.close());
const hub = await useTestHub({
  makeIngestSql: async (systemUrl) => {
    const url = new URL(systemUrl);
    line = await openLine(url.hostname, Number(url.port));
    url.hostname = '127.0.0.1';
    url.port = String(line.port);
    return connectSql(url.href, { maxConnections: 6, applicationName: 'test-ingest' });
  },
});
afterAll(() => line.mend());
const endpoint = await hub.addEndpoint(await hub.addCompany(), { partner: 'benevity' });
beforeEach(() => line.mend());

const timed = async <T>(work: Promise<T>): Promise<{ result: T; ms: number }> => {
  const startedAtMs = performance.now();
  return { result: await work, ms: performance.now() - startedAtMs };
};
const outcomesOf = async (eventId: string): Promise<string[]> =>
  (
    await hub.owner<
      { outcome: string }[]
    >`select outcome from impact_in_receipt where event_id = ${eventId} order by id`
  ).map((row) => row.outcome);

test('a database that is gone is answered with 503 within the deadline; the event sent again is stored once', async () => {
  const event = eventOf('benevity', 'gone');
  line.cut();
  const refused = await timed(sendSigned(hub, endpoint, event.body));
  expect([refused.result.statusCode, refused.result.json<{ code: string }>().code]).toEqual([
    503,
    'impact_in.inbox_unavailable',
  ]);
  expect(Number(refused.result.headers['retry-after'])).toBeGreaterThan(0);
  expect(refused.ms).toBeLessThan(deadlineMs + slackMs);
  line.mend();
  expect((await sendSigned(hub, endpoint, event.body)).json()).toMatchObject({ received: true });
  // The refused copy may have been committed meanwhile; accepted is only one of them.
  expect((await outcomesOf(event.eventId)).filter((outcome) => outcome === 'accepted')).toHaveLength(1);
});

test('a short interruption is waited for', async () => {
  const event = eventOf('benevity', 'blip');
  line.cut();
  setTimeout(() => line.mend(), 600);
  expect((await sendSigned(hub, endpoint, event.body)).statusCode).toBe(200);
  expect(await outcomesOf(event.eventId)).toEqual(['accepted']);
});

test('a database that hangs is answered with 503; what it commits later is recognised when sent again', async () => {
  await sendSigned(hub, endpoint, eventOf('benevity', 'warm').body);
  const event = eventOf('benevity', 'hang');
  line.silence();
  const refused = await timed(sendSigned(hub, endpoint, event.body));
  expect(refused.result.statusCode).toBe(503);
  expect(refused.ms).toBeGreaterThan(deadlineMs - 100);
  expect(refused.ms).toBeLessThan(deadlineMs + slackMs);
  line.mend();
  await expect.poll(() => outcomesOf(event.eventId)).toEqual(['accepted']);
  expect((await sendSigned(hub, endpoint, event.body)).json()).toMatchObject({ duplicate: true });
});
