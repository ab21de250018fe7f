import { createMetrics } from '@impact-hub/core';
import { controlledClock } from '@impact-hub/testkit';
import { expect, test } from 'vitest';
import { registerRecordMetrics } from './register-record-metrics.ts';

const clock = controlledClock();
const scrape = async (expiredSeconds: number | null, isAnswering = true) => {
  const metrics = createMetrics();
  const nextExpiresAt = expiredSeconds === null ? null : new Date(clock.nowMs() - expiredSeconds * 1_000);
  let reads = 0;
  registerRecordMetrics(metrics, { clock }, async () => {
    reads += 1;
    return isAnswering ? { estimatedRecords: 7, nextExpiresAt } : null;
  });
  const text = await metrics.metrics();
  const lines = text.split('\n').filter((line) => line.startsWith('idempotency_'));
  return { lines, reads };
};

test('one read tells the number of stored answers and how far their removal lags behind', async () => {
  const of = (lagSeconds: number) => ({
    lines: ['idempotency_records 7', `idempotency_removal_lag_seconds ${lagSeconds}`],
    reads: 1,
  });
  expect(await scrape(90)).toEqual(of(90));
  expect(await scrape(-90)).toEqual(of(0));
  expect(await scrape(null)).toEqual(of(0));
});

test('a database that does not answer leaves all other figures readable', async () => {
  const { lines } = await scrape(null, false);
  expect(lines).toEqual(['idempotency_records Nan', 'idempotency_removal_lag_seconds Nan']);
});
