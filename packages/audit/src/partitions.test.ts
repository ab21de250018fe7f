import { newId } from '@impact-hub/core';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkAuditPartitions, ensureAuditPartitions } from './audit-partitions.ts';
import { recordAudit } from './record-audit.ts';

const monthName = (monthsFromNow: number): string => {
  const now = new Date();
  const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + monthsFromNow, 1));
  return `audit_event_${month.toISOString().slice(0, 7).replace('-', '_')}`;
};

describe('audit partitions', () => {
  let store: TestDatabase;
  beforeAll(async () => {
    store = await createTestDatabase();
  });
  afterAll(() => store.drop());

  const partitions = async (): Promise<string[]> => {
    const rows = await store.owner`
      select inhrelid::regclass::text as name from pg_inherits where inhparent = 'audit_event'::regclass order by 1`;
    return rows.map((row) => String(row['name']));
  };
  const asAuditOwner = (statement: string) =>
    store.owner.begin(async (sql) => {
      await sql`set local role hub_audit_owner`;
      await sql.unsafe(statement);
    });

  it('reach from last month to three months ahead after migration, and the rest has a default', async () => {
    const months = [-1, 0, 1, 2, 3].map(monthName);
    expect(await partitions()).toEqual([...months, 'audit_event_default'].sort());
    await expect(checkAuditPartitions(store.db)).resolves.toBeUndefined();
  });

  it('are created by the system role although it may not create tables, once, by however many processes', async () => {
    await asAuditOwner(`drop table ${monthName(3)}; drop table ${monthName(2)}`);
    const created = await Promise.all(Array.from({ length: 4 }, () => ensureAuditPartitions(store.db)));
    expect(created.flat().sort()).toEqual([monthName(2), monthName(3)].sort());
    await expect(store.db.systemSql`create table public.mine ()`).rejects.toThrow('permission denied');
  });

  it('take the event of their month', async () => {
    const companyId = newId();
    const at = new Date();
    await store.db.company(companyId, (tx) =>
      recordAudit(
        tx,
        { type: 'test.event', category: 'data', actor: { kind: 'system', id: 'test' } },
        { now: () => at, nowMs: () => at.getTime() },
      ),
    );
    const [row] =
      await store.owner`select tableoid::regclass::text as name from audit_event where company_id = ${companyId}`;
    expect(row?.['name']).toBe(monthName(0));
  });

  it('are not created over events that already lie in the default partition, and the check says that one is missing', async () => {
    await asAuditOwner(`drop table ${monthName(1)}`);
    const at = new Date(`${monthName(1).slice(-7).replace('_', '-')}-15T00:00:00Z`);
    await store.db.system((tx) =>
      recordAudit(
        tx,
        { type: 'test.event', category: 'data', actor: { kind: 'system', id: 'test' } },
        { now: () => at, nowMs: () => at.getTime() },
      ),
    );
    expect(await ensureAuditPartitions(store.db)).toEqual([]);
    await expect(checkAuditPartitions(store.db)).rejects.toThrow(`audit partition ${monthName(1)} is missing`);
  });

  it('refuse a senseless number of months', async () => {
    for (const months of [-1, 25, null])
      await expect(store.db.systemSql`select audit_ensure_partitions(${months})`).rejects.toThrow('between 0 and 24');
    const asRuntime = store.db.company(newId(), (tx) => tx.sql`select audit_ensure_partitions(1)`);
    await expect(asRuntime).rejects.toThrow('permission denied');
  });
});
