import { beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { newId } from '../ids.ts';
import { jobDefiner } from '../module/define-job.ts';
import { claimQueued, giveBack } from './claim-jobs.ts';
import { enqueueJob } from './enqueue-job.ts';
import { startJobs, useJobStores } from './test-jobs.ts';

const companyId = newId();
const stores = await useJobStores();

let handled = 0;
const failures: { willRetry: boolean; company: string | null }[] = [];
const job = jobDefiner<object>()({
  name: 'test.killer',
  payload: z.object({ thingId: z.uuid() }),
  handler: async () => {
    handled += 1;
  },
  onFailure: async ({ tx, willRetry }) => {
    const [row] = await tx.sql<{ company: string }[]>`select hub_company_id() as company`;
    failures.push({ willRetry, company: row?.company ?? null });
  },
});

/** Runs relay and workers until no job is left but dead ones; returns the log's lines about jobs and the metrics. */
const runToTheEnd = async () => {
  const { stop } = await startJobs(stores, job);
  await expect.poll(() => stores.database.owner`select 1 from job where state <> 'dead'`).toHaveLength(0);
  return stop();
};

const thingId = newId();
let jobId = '';
beforeEach(async () => {
  handled = 0;
  failures.length = 0;
  await stores.database.owner`truncate job`;
  jobId = await stores.database.db.company(companyId, (tx) => enqueueJob(tx, job, { thingId }));
});
/** As if the job had been dispatched, and the worker that took it had died, this many times before. */
const lose = (times: number) => stores.database.owner`
  update job set state = 'dispatched', generation = generation + 1, lost_dispatches = ${times},
    lease_until = now() - interval '1 second'`;

test('a job lost once after many dispatches that never reached Redis is still run', async () => {
  const sql = stores.database.db.systemSql;
  const claim = { queue: job.name, lanes: [companyId], rowsPerLane: 10, groupSize: 1, leaseSeconds: 60 };
  for (let pass = 0; pass < 25; pass += 1) await giveBack(sql, await claimQueued(sql, claim, newId()));
  expect(await stores.database.owner`select generation from job`).toEqual([{ generation: 25 }]);
  await lose(0);
  await runToTheEnd();
  expect(handled).toBe(1);
  expect(await stores.database.owner`select 1 from job`).toHaveLength(0);
});

test('a job that keeps ending its worker is set aside unrun: its domain, the log and the metrics tell', async () => {
  await lose(19);
  const { lines, metrics } = await runToTheEnd();
  expect(handled).toBe(0);
  expect(failures).toEqual([{ willRetry: false, company: companyId }]);
  const [row] = await stores.database.owner`select state, last_error, finished_at from job`;
  expect(row).toMatchObject({
    state: 'dead',
    last_error: expect.stringContaining('worker'),
    finished_at: expect.any(Date),
  });
  expect(lines).toMatchObject([{ level: 'error', outcome: 'dead', jobId, job: 'test.killer' }]);
  expect(metrics).toContain('jobs_total{job="test.killer",outcome="dead"} 1');
});

test('a job that was lost less often is run', async () => {
  await lose(18);
  await runToTheEnd();
  expect(handled).toBe(1);
});
