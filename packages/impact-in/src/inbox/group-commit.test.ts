import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createGroupCommit, inboxLimits, type GroupCommitLimits } from './group-commit.ts';
import { InboxUnavailable } from './inbox-errors.ts';
import { createBatchWriter } from './write-batch.ts';

type Row = { n: number; bytes?: number; company?: string; endpoint?: string; waitedMs?: number };

const open = (limits: Partial<GroupCommitLimits> = {}, write?: (rows: readonly Row[]) => Promise<void>) => {
  const batches: number[][] = [];
  let flying = 0;
  let mostFlying = 0;
  const commits = createGroupCommit<Row, number>({
    write: async (rows) => {
      batches.push(rows.map(({ n }) => n));
      flying += 1;
      mostFlying = Math.max(mostFlying, flying);
      await (write?.(rows) ?? pause(5));
      flying -= 1;
      return rows.map(({ n }) => ({ stored: n }));
    },
    bytesOf: (row) => row.bytes ?? 1,
    ownersOf: (row) => [row.company ?? 'company', row.endpoint ?? 'endpoint'],
    arrivedAtMsOf: (row) => performance.now() - (row.waitedMs ?? 0),
    limits: { ...inboxLimits, ...limits },
  });
  return { commits, batches, mostFlying: () => mostFlying };
};
const rows = (count: number, more: Partial<Row> = {}): Row[] =>
  Array.from({ length: count }, (_, n) => ({ n, ...more }));
const faultOf = (error: unknown) => (error instanceof InboxUnavailable ? error.fault : error);

describe('group commit', () => {
  test('rows of one turn share a flush; flushes stay within their number, rows and bytes', async () => {
    const { commits, batches, mostFlying } = open({ rowsPerFlush: 10, bytesPerFlush: 50 });
    await Promise.all(rows(100).map((row) => commits.submit(row)));
    expect(batches.every((batch) => batch.length <= 10)).toBe(true);
    expect(mostFlying()).toBe(inboxLimits.flushesInFlight);
    await Promise.all(rows(100, { bytes: 20 }).map((row) => commits.submit(row)));
    expect(batches.slice(10).every((batch) => batch.length <= 2)).toBe(true);
    expect(batches.flat()).toHaveLength(200);
  });

  test('rows wait for a flush under way, and gather for the next one', async () => {
    const { commits, batches } = open({}, () => pause(5));
    const first = commits.submit({ n: 0 });
    await pause(1);
    await Promise.all([first, ...rows(20).map((row) => commits.submit(row))]);
    expect(batches.map((batch) => batch.length)).toEqual([1, 20]);
  });

  test('a flush that is late stops nobody: the next one starts beside it', async () => {
    let flushes = 0;
    const { commits } = open({ flushIsLateAfterMs: 20 }, () => pause((flushes += 1) === 1 ? 2_000 : 1));
    const slow = commits.submit({ n: 0 });
    await pause(1);
    const queued = commits.submit({ n: 1 });
    const outcome = await Promise.race([queued, slow.then(() => 'the slow one came first')]);
    expect(outcome).toBe(1);
    await slow;
  });

  test('a row larger than a flush may be goes alone', async () => {
    const { commits, batches } = open({ bytesPerFlush: 50 });
    await Promise.all([commits.submit({ n: 1, bytes: 500 }), commits.submit({ n: 2 })]);
    expect(batches).toEqual([[1], [2]]);
  });

  test('beyond rows or bytes, rows are refused at once', async () => {
    const { commits } = open({ maxRows: 9, flushesInFlight: 1 }, () => pause(50));
    const results = await Promise.all(rows(8).map((row) => commits.submit(row).catch(faultOf)));
    expect(results.filter((result) => result === 'full')).toHaveLength(5);
    const big = open({ maxBytes: 100 });
    await expect(big.commits.submit({ n: 1, bytes: 101 })).rejects.toMatchObject({ fault: 'full' });
  });

  test.each([
    ['rows', {}],
    ['bytes', { bytes: 2_000 }],
  ])('however much some send, whoever comes next finds room (%s)', async (_, more) => {
    const limits = { maxRows: 200, maxBytes: 200_000, flushesInFlight: 1 };
    const { commits } = open(limits, () => pause(50));
    const submit = (row: Row) => commits.submit(row).catch(faultOf);
    const greedy = ['a', 'b', 'c', 'd'].flatMap((company) =>
      ['1', '2', '3'].flatMap((name) => rows(200, { company, endpoint: `${company}${name}`, ...more }).map(submit)),
    );
    const newcomers = [
      submit({ n: 1, company: 'e', endpoint: 'e1', ...more }),
      submit({ n: 2, company: 'a', endpoint: 'a4', ...more }),
    ];
    expect(await Promise.all(newcomers)).toEqual([1, 2]);
    expect((await Promise.all(greedy)).filter((result) => result === 'full').length).toBeGreaterThan(2_000);
  });

  test('a row waits for a turn of each other sender, not for all that they have sent', async () => {
    const { commits, batches } = open({ rowsPerFlush: 100, flushesInFlight: 1 }, () => pause(2));
    const first = commits.submit({ n: 0 });
    const greedy = rows(3_000, { company: 'a', endpoint: 'a1', bytes: 1_700 }).map((row) => commits.submit(row));
    const late = [
      commits.submit({ n: -1, company: 'b', endpoint: 'b1', bytes: 1_700 }),
      commits.submit({ n: -2, company: 'a', endpoint: 'a2', bytes: 1_700 }),
    ];
    await Promise.all([first, ...greedy, ...late]);
    expect(batches.slice(0, 2).flat()).toEqual(expect.arrayContaining([-1, -2]));
    expect(batches.flat().filter((n) => n >= 0)).toEqual([0, ...rows(3_000).map(({ n }) => n)]);
  });

  test('a caller is released at the deadline although its row may be committed later', async () => {
    const { promise: written, resolve: finish } = Promise.withResolvers<void>();
    const { commits, batches } = open({ deadlineMs: 100, flushesInFlight: 1 }, () => written);
    const flying = commits.submit({ n: 1 }).catch(faultOf);
    await pause(10);
    const queued = commits.submit({ n: 2 }).catch(faultOf);
    expect(await Promise.all([flying, queued])).toEqual(['deadline', 'deadline']);
    finish();
    await commits.stop();
    // What was in flight is left to the database; what was still queued is dropped.
    expect(batches).toEqual([[1]]);
    expect(commits.waiting()).toEqual({ rows: 0, bytes: 0, flushes: 0 });
  });

  test('what a caller waited before it was submitted is taken off its patience', async () => {
    const { promise: written, resolve: finish } = Promise.withResolvers<void>();
    const { commits } = open({ deadlineMs: 60_000 }, () => written);
    expect(await commits.submit({ n: 1, waitedMs: 60_000 }).catch(faultOf)).toBe('deadline');
    finish();
    await commits.stop();
  });

  test('stopping decides everything taken and takes no more', async () => {
    const { commits, batches } = open({ rowsPerFlush: 3, flushesInFlight: 1 });
    const taken = Promise.all(rows(10).map((row) => commits.submit(row)));
    const stopped = commits.stop();
    await expect(commits.submit({ n: 99 })).rejects.toMatchObject({ fault: 'stopping' });
    expect(await taken).toHaveLength(10);
    await stopped;
    expect(batches.flat()).toEqual(rows(10).map(({ n }) => n));
  });

  test('a flush that fails fails its rows and frees its slot', async () => {
    let fails = true;
    const { commits } = open({ flushesInFlight: 1 }, async () => {
      if (fails) throw new Error('boom');
    });
    await expect(commits.submit({ n: 1 })).rejects.toMatchObject({ fault: 'database' });
    fails = false;
    await expect(commits.submit({ n: 2 })).resolves.toBe(2);
  });
});

describe('batch writer', () => {
  const sqlError = (code: string) => Object.assign(new Error(code), { code });
  const writer = (store: (rows: readonly number[]) => Promise<number[]>, patienceMs = 1_000) => {
    let nowMs = 0;
    return createBatchWriter<number, number>({
      store,
      patienceMs,
      nowMs: () => nowMs,
      pause: async (ms) => void (nowMs += ms),
    });
  };

  test.each(['40001', '40P01'])('SQLSTATE %s is tried once more, not for ever', async (code) => {
    let calls = 0;
    const once = writer(async (batch) => {
      calls += 1;
      if (calls === 1) throw sqlError(code);
      return [...batch];
    });
    expect(await once([1])).toEqual([{ stored: 1 }]);
    const always = writer(async () => Promise.reject(sqlError(code)));
    expect(await always([1])).toMatchObject([{ error: { fault: 'database' } }]);
  });

  test('a short absence of the database is waited for, a long one is not', async () => {
    let calls = 0;
    const store = async (batch: readonly number[]) => {
      calls += 1;
      if (calls < 4) throw sqlError('ECONNREFUSED');
      return [...batch];
    };
    expect(await writer(store)([1])).toEqual([{ stored: 1 }]);
    calls = -1_000;
    expect(await writer(store)([1])).toMatchObject([{ error: { fault: 'database' } }]);
  });

  test('several poison rows anywhere in a batch are found, the others stored', async () => {
    const poison = new Set([0, 3, 4, 9]);
    const write = writer(async (batch) => {
      if (batch.some((n) => poison.has(n))) throw sqlError('22021');
      return [...batch];
    });
    const results = await write([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(results.map((result) => ('stored' in result ? result.stored : result.error.name))).toEqual([
      'UnstorableRow',
      1,
      2,
      'UnstorableRow',
      'UnstorableRow',
      5,
      6,
      7,
      8,
      'UnstorableRow',
    ]);
  });
});
