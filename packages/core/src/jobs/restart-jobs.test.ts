import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { newId } from '../ids.ts';
import { restartJobs } from './restart-jobs.ts';

let database: TestDatabase;
let companyId: string;
beforeAll(async () => {
  database = await createTestDatabase();
  companyId = newId();
});
afterAll(() => database.drop());

const job = { name: 'test.work', payload: z.object({ thing: z.uuid() }) };
const restart = (ids: readonly string[], company = companyId): Promise<void> =>
  database.db.company(company, (tx) =>
    restartJobs(
      tx,
      job,
      ids.map((id) => ({ id, payload: { thing: id } })),
    ),
  );
const insert = async (state: string, queue = job.name): Promise<string> => {
  const id = newId();
  await database.owner`
    insert into job (id, company_id, queue, payload, state, generation, attempts, lost_dispatches, run_at, lease_until, finished_at)
    values (${id}, ${companyId}, ${queue}, ${JSON.stringify({ thing: id })}::jsonb, ${state}, 5, 3, 20,
      now() + interval '1 hour', ${state === 'dispatched' ? new Date(Date.now() + 60_000) : null},
      ${state === 'dead' ? new Date() : null})`;
  return id;
};
const read = async (id: string) =>
  (
    await database.owner`
      select state, generation, attempts, lost_dispatches as lost, run_at <= now() as due, finished_at as finished, queue
      from job where id = ${id}`
  )[0];

test.each(['queued', 'dead'])('a job that is %s is due now, its attempts counted on', async (state) => {
  const id = await insert(state);
  await restart([id, id]);
  expect(await read(id)).toMatchObject({
    state: 'queued',
    due: true,
    attempts: 3,
    generation: 5,
    lost: 0,
    finished: null,
  });
});

test('a job that is dispatched is left to who has it', async () => {
  const id = await insert('dispatched');
  const before = await read(id);
  await restart([id]);
  expect(await read(id)).toEqual(before);
});

test('a job that is gone is made again under its id, once, however many ask for it', async () => {
  const id = newId();
  await Promise.all([restart([id]), restart([id]), restart([id])]);
  expect(await read(id)).toMatchObject({ state: 'queued', due: true, attempts: 0 });
});

test('a job of another kind or company with that id is not touched', async () => {
  const id = await insert('dead', 'test.other');
  await restart([id]);
  expect(await read(id)).toMatchObject({ state: 'dead', queue: 'test.other' });
  await restart([id], newId()).catch(() => undefined);
  expect(await read(id)).toMatchObject({ state: 'dead', queue: 'test.other' });
});
