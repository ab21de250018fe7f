import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { newId } from '../ids.ts';
import { jobDefiner } from '../module/define-job.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createJobMetrics, createMetrics } from '../telemetry/metrics.ts';
import { enqueueJob } from './enqueue-job.ts';
import { startJobWorkers } from './job-workers.ts';
import { startRelay } from './relay.ts';
import { connectRelay, modulesOf, recordingLog, useJobStores } from './test-jobs.ts';

const { database, store } = await useJobStores();
let gate: Server;
let hung = false;
const sockets = new Set<Socket>();
let port = 0;

/** A way to Redis that can be cut (`away`), or swallow everything like a stopped process (`hang`). */
const open = async (): Promise<void> => {
  const target = new URL(store.url);
  gate = createServer({ allowHalfOpen: true }, (socket) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [from, to] of [[socket, upstream] as const, [upstream, socket] as const]) {
      sockets.add(from);
      from.on('error', () => undefined).on('data', (data) => hung || to.write(data));
      from.on('end', () => hung || to.end()).on('close', () => hung || to.destroy());
    }
  });
  await new Promise<void>((resolve) => gate.listen(port, '127.0.0.1', resolve));
  port = (gate.address() as AddressInfo).port;
};
const away = (): void => {
  gate.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
};

beforeEach(async () => {
  hung = false;
  port = 0;
  await open();
});
afterEach(away);

/** What a busy machine may add; a stop that waits for Redis would not end at all. */
const slackMs = 2_000;

let jobMs = 0;
let begun = 0;
let handled = 0;
const define = jobDefiner<object>();
const handler = async () => {
  begun += 1;
  await pause(jobMs);
  handled += 1;
};
const jobs = ['test.one', 'test.two'].map((name) => define({ name, payload: z.object({}), handler }));

const url = () => Object.assign(new URL(store.url), { port: String(port) }).href;
const start = (level = 'silent') => {
  const { lines, log } = recordingLog(level);
  const redis = new Redis(url(), { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  const modules = modulesOf(...jobs);
  const metrics = createJobMetrics(createMetrics());
  const workers = startJobWorkers({ modules, db: database.db, redis, log, metrics });
  const stop = async (): Promise<number> => {
    const startedAtMs = performance.now();
    await workers.stop();
    redis.disconnect();
    return performance.now() - startedAtMs;
  };
  return { stop, lines };
};

test('workers stop at once while Redis answers', async () => {
  const { stop } = start();
  await pause(300);
  expect(await stop()).toBeLessThan(500 + slackMs);
});

test('workers stop within about a second when Redis went away, and leave no connection behind', async () => {
  const { stop } = start();
  await pause(300);
  away();
  await pause(200);
  expect(await stop()).toBeLessThan(1_500 + slackMs);
  await open();
  await pause(300);
  expect(sockets.size).toBe(0);
});

test('workers stop within about a second when Redis was never there', async () => {
  away();
  const { stop } = start();
  await pause(200);
  expect(await stop()).toBeLessThan(1_500 + slackMs);
});

test('workers stop within two seconds when Redis hangs', async () => {
  const { stop } = start();
  await pause(300);
  hung = true;
  expect(await stop()).toBeLessThan(2_000 + slackMs);
});

test('a job under way finishes when its worker is stopped without Redis', async () => {
  const { stop } = start();
  const relayRedis = connectRelay(store.url);
  const log = createLogger({ level: 'silent' });
  const relay = await startRelay({ sql: database.db.systemSql, redis: relayRedis, log, sweepIntervalMs: 25 });
  jobMs = 1_500;
  await database.db.company(newId(), async (tx) => {
    for (const job of jobs) await enqueueJob(tx, job, {});
  });
  await expect.poll(() => begun).toBe(2);
  away();
  expect(await stop()).toBeLessThan(2_500 + slackMs);
  expect(handled).toBe(2);
  expect(await database.owner`select 1 from job`).toHaveLength(0);
  await relay.stop();
  relayRedis.disconnect();
});

test('an outage is reported once, whatever number of workers and reconnects, and so is its end', async () => {
  const { stop, lines } = start('info');
  await pause(300);
  away();
  await pause(1_000);
  expect(lines.map((line) => line['event'])).toEqual(['worker.unavailable']);
  await open();
  await expect.poll(() => lines.map((line) => line['event'])).toEqual(['worker.unavailable', 'worker.available']);
  await stop();
});

test('a relay stops within its command timeout when Redis hangs, and the jobs of every queue stay queued', async () => {
  const redis = connectRelay(url(), { commandTimeout: 500 });
  const log = createLogger({ level: 'silent' });
  const relay = await startRelay({ sql: database.db.systemSql, redis, log, sweepIntervalMs: 25 });
  await pause(300);
  hung = true;
  await database.db.company(newId(), async (tx) => {
    for (const job of jobs) await enqueueJob(tx, job, {});
  });
  await pause(200);
  const startedAtMs = performance.now();
  await relay.stop();
  expect(performance.now() - startedAtMs).toBeLessThan(1_000 + slackMs);
  redis.disconnect();
  expect(await database.owner`select state from job`).toEqual([{ state: 'queued' }, { state: 'queued' }]);
});

test('a relay whose first command met a hung Redis dispatches once it answers', async () => {
  jobMs = 0;
  await database.owner`truncate job`;
  const redis = connectRelay(url(), { commandTimeout: 300 });
  const log = createLogger({ level: 'silent' });
  const relay = await startRelay({ sql: database.db.systemSql, redis, log, sweepIntervalMs: 25 });
  await pause(300);
  hung = true;
  await database.db.company(newId(), (tx) => enqueueJob(tx, jobs[1] as (typeof jobs)[number], {}));
  await pause(500);
  hung = false;
  away();
  await open();
  const { stop } = start();
  await expect.poll(() => database.owner`select 1 from job`).toHaveLength(0);
  await stop();
  await relay.stop();
  redis.disconnect();
});
