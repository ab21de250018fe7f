import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../ids.ts';
import type { Tx } from './transaction.ts';

let database: TestDatabase;
const companyId = newId();
const otherId = newId();
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(() => database.owner`truncate job`);

const addJob = (tx: Tx, queue: string) =>
  tx.sql`insert into job (id, company_id, queue, payload) values (${newId()}, ${tx.companyId}, ${queue}, '{}'::jsonb)`;
const queues = async () =>
  (await database.owner<{ queue: string }[]>`select queue from job order by queue`).map(({ queue }) => queue);

describe('work that joins a transaction', () => {
  it('commits with it', async () => {
    const { db } = database;
    await db.company(companyId, (tx) =>
      db.joining(tx, async () => {
        await db.company(companyId, (inner) => addJob(inner, 'inner'));
        expect(await queues()).toEqual([]);
        await addJob(tx, 'outer');
      }),
    );
    expect(await queues()).toEqual(['inner', 'outer']);
  });

  it('vanishes with it, however deep and however many at once', async () => {
    const { db } = database;
    const work = db.company(companyId, (tx) =>
      db.joining(tx, async () => {
        await Promise.all(
          ['a', 'b', 'c'].map((queue) =>
            db.company(companyId, async (inner) => {
              await addJob(inner, queue);
              await db.company(companyId, (deeper) => addJob(deeper, `${queue}-deeper`));
            }),
          ),
        );
        expect(await tx.sql`select 1 from job`).toHaveLength(6);
        throw new Error('undone');
      }),
    );
    await expect(work).rejects.toThrow('undone');
    expect(await queues()).toEqual([]);
  });

  it('loses only its own part when it fails', async () => {
    const { db } = database;
    await db.company(companyId, (tx) =>
      db.joining(tx, async () => {
        await db.company(companyId, (inner) => addJob(inner, 'kept'));
        const failing = db.company(companyId, async (inner) => {
          await addJob(inner, 'lost');
          throw new Error('failed');
        });
        await expect(failing).rejects.toThrow('failed');
      }),
    );
    expect(await queues()).toEqual(['kept']);
  });

  it('joins only a transaction of the same company, and none that has ended', async () => {
    const { db } = database;
    const late = Promise.withResolvers<void>();
    let lateWork: Promise<unknown> = Promise.resolve();
    const undone = db.company(companyId, (tx) =>
      db.joining(tx, async () => {
        await db.company(otherId, (inner) => addJob(inner, 'other company'));
        await db.system((inner) => addJob(inner, 'system'));
        lateWork = late.promise.then(() => db.company(companyId, (inner) => addJob(inner, 'late')));
        throw new Error('undone');
      }),
    );
    await expect(undone).rejects.toThrow('undone');
    late.resolve();
    await lateWork;
    expect(await queues()).toEqual(['late', 'other company', 'system']);
  });
});
