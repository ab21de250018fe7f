import type { Database, Sql, Tx } from '@impact-hub/core';

/**
 * What happens at one step of a worker, counted from 1 over all its transactions; the answer to a commit is a step, too.
 * `break`: its database connection ends. `die`: so does the worker, which does nothing more.
 */
export type Fault = { at: number; when: 'before' | 'after'; kind: 'break' | 'die' };

const lost = (): Error => Object.assign(new Error('write CONNECTION_CLOSED'), { code: 'CONNECTION_CLOSED' });

/**
 * A database whose transactions meet the given faults: connections are really ended, by the server.
 *
 * @param owner may end any connection
 */
export const faultyDatabase = (db: Database, owner: Sql, faults: readonly Fault[]) => {
  let steps = 0;
  let isDead = false;

  const strike = async (fault: Fault, pid: number | undefined): Promise<void> => {
    if (pid !== undefined) await owner`select pg_terminate_backend(${pid}, 5000)`;
    if (fault.kind === 'break') return;
    isDead = true;
    throw lost();
  };
  const step = async <T>(pid: number | undefined, work: () => Promise<T>): Promise<T> => {
    if (isDead) throw lost();
    steps += 1;
    const fault = faults.find(({ at }) => at === steps);
    if (fault?.when === 'before') await strike(fault, pid);
    const result = await work();
    if (fault?.when === 'after') await strike(fault, pid);
    return result;
  };

  /** Queries run when they are awaited; those that are parts of others never are. */
  const watched = (sql: Tx['sql'], pid: number): Tx['sql'] => {
    const watch = (query: object): unknown => {
      const send = (query as Promise<unknown>).then.bind(query);
      const whenAwaited = (resolve: () => void, reject: () => void) =>
        step(pid, () => new Promise((done, fail) => void send(done, fail))).then(resolve, reject);
      Reflect.set(query, 'then', whenAwaited);
      return query;
    };
    return new Proxy(sql, {
      apply: (target, self, args) => watch(Reflect.apply<unknown, unknown[], object>(target as never, self, args)),
      get: (target, name) =>
        name === 'unsafe'
          ? (...args: Parameters<typeof target.unsafe>) => watch(target.unsafe(...args))
          : (Reflect.get(target, name) as unknown),
    });
  };

  const company: Database['company'] = async (companyId, work) => {
    if (isDead) throw lost();
    const result = await db.company(companyId, async (tx) => {
      const [row] = await tx.sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
      return work({ ...tx, sql: watched(tx.sql, row?.pid ?? 0) });
    });
    steps += 1;
    const fault = faults.find(({ at }) => at === steps);
    // The commit is done; its answer does not arrive.
    if (fault !== undefined) {
      isDead = fault.kind === 'die';
      throw lost();
    }
    return result;
  };
  return { db: { ...db, company }, steps: () => steps };
};
