import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectSql } from './connect-database.ts';
import { isDatabaseUnavailable } from './database-errors.ts';

let database: TestDatabase;
let sql: Sql;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.owner`create table kept (n int)`;
});
afterAll(() => database.drop());
beforeEach(() => {
  sql = connectSql(database.ownerUrl, { maxConnections: 1, applicationName: 'to be lost' });
  return () => sql.end({ timeout: 1 });
});

const end = async (pid: number | undefined): Promise<void> => {
  await database.owner`select pg_terminate_backend(${pid ?? 0}, 5000)`;
  // Until the client has read the end of its socket.
  await new Promise((resolve) => setTimeout(resolve, 50));
};
const pidOf = async (on: Pick<Sql, 'unsafe'>): Promise<number | undefined> =>
  (await on.unsafe('select pg_backend_pid() as pid'))[0]?.['pid'] as number;
const unavailable = (error: unknown): boolean => isDatabaseUnavailable(error);

describe('a connection that is lost', () => {
  test('under a transaction fails it and nothing else: the process lives, the pool connects again', async () => {
    for (let round = 0; round < 5; round += 1) {
      const lost = sql.begin(async (tx) => {
        await end(await pidOf(tx));
        await tx`select 1`;
      });
      await expect(lost).rejects.toSatisfy(unavailable);
      expect(await sql`select 1 as n`).toEqual([{ n: 1 }]);
    }
  });

  test('in the middle of a statement fails it, and the pool connects again', async () => {
    for (let round = 0; round < 5; round += 1) {
      const pid = await pidOf(sql);
      const lost = sql.begin((tx) => tx`select pg_sleep(10)`).catch((error: unknown) => error);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await end(pid);
      expect(await lost).toSatisfy(unavailable);
      expect(await sql`select 1 as n`).toEqual([{ n: 1 }]);
    }
  });

  test('does not let the rest of its transaction run outside of one', async () => {
    const rest: unknown[] = [];
    const lost = sql.begin(async (tx) => {
      await end(await pidOf(tx));
      // The slot is taken by somebody else, and so is connected again.
      await sql`select 1`;
      await tx`insert into kept values (1)`.catch((error: unknown) => rest.push(error));
    });
    await expect(lost).rejects.toSatisfy(unavailable);
    await expect.poll(() => rest.length).toBe(1);
    expect(rest[0]).toSatisfy(unavailable);
    expect(await sql`select * from kept`).toEqual([]);
  });

  test('while it is being prepared fails the first statement and nothing else', async () => {
    const options = { maxConnections: 1, applicationName: 'hurried', statementTimeoutMs: 100 };
    const hurried = connectSql(database.ownerUrl, options);
    await database.owner.begin(async (tx) => {
      // The driver reads the types before the first statement, and waits here for too long.
      await tx`lock table pg_catalog.pg_type in access exclusive mode`;
      await expect(hurried`select 1`.execute()).rejects.toMatchObject({ code: '57014' });
    });
    expect(await hurried`select 1 as n`).toEqual([{ n: 1 }]);
    await hurried.end();
  });

  test('while reserved fails what its holder does next, and its release harms nobody', async () => {
    const held = await sql.reserve();
    await end(await pidOf(held));
    await expect(held`select 1`.execute()).rejects.toSatisfy(unavailable);
    expect(await sql`select 1 as n`).toEqual([{ n: 1 }]);
    held.release();
    await expect(held`select 1`.execute()).rejects.toSatisfy(unavailable);
    expect(await Promise.all([sql`select 1 as n`, sql`select 2 as n`])).toEqual([[{ n: 1 }], [{ n: 2 }]]);
  });
});
