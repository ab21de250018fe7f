import { beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { newId } from '../ids.ts';
import { jobDefiner } from '../module/define-job.ts';
import { enqueueJob } from './enqueue-job.ts';
import { startJobs, useJobStores } from './test-jobs.ts';

const stores = await useJobStores();
beforeEach(() => {
  failWith = undefined;
});

let failWith: Error | undefined;
const job = jobDefiner<object>()({
  name: 'test.line',
  payload: z.object({ thingId: z.uuid(), name: z.string() }),
  handler: async () => {
    if (failWith !== undefined) throw failWith;
  },
  onFailure: async () => {
    throw new Error('the database is gone');
  },
});

/** Runs one dispatch of a new job; returns the lines it left in the log and the metrics. */
const runOnce = async (payload: { thingId: string; name: string }) => {
  const { jobLines, stop } = await startJobs(stores, job);
  const jobId = await stores.database.db.company(newId(), (tx) => enqueueJob(tx, job, payload));
  await expect.poll(jobLines).not.toHaveLength(0);
  return { jobId, ...(await stop()) };
};

test('the line of a job names the ids of its payload, and nothing else of it', async () => {
  const thingId = newId();
  const { jobId, lines } = await runOnce({ thingId, name: 'Ada Lovelace' });
  expect(lines).toMatchObject([{ level: 'info', outcome: 'done', jobId, ids: { thingId } }]);
  expect(JSON.stringify(lines)).not.toContain('Ada');
});

test('a run whose failure cannot be recorded leaves one line and one count, and its job stays', async () => {
  failWith = new Error('handler broke');
  const { jobId, lines, metrics } = await runOnce({ thingId: newId(), name: 'x' });
  expect(lines).toMatchObject([{ level: 'error', outcome: 'error', jobId }]);
  const message = JSON.stringify(lines[0]?.['err']);
  expect(message).toContain('handler broke');
  expect(message).toContain('the database is gone');
  expect(metrics).toContain('jobs_total{job="test.line",outcome="error"} 1');
  expect(await stores.database.owner`select state, attempts from job where id = ${jobId}`).toEqual([
    { state: 'dispatched', attempts: 0 },
  ]);
});
