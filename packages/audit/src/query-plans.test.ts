import { newId } from '@impact-hub/core';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selectEvents } from './repository.ts';
import type { EventFilter } from './schema.ts';

describe('queries of the audit log', () => {
  let store: TestDatabase;
  const companyId = newId();
  beforeAll(async () => {
    store = await createTestDatabase();
  });
  afterAll(() => store.drop());

  /** As the runtime role sees it, row-level security included. Empty tables would always be read whole, hence the setting. */
  const plan = (filter: EventFilter, after = { atMs: Date.now(), id: newId() }): Promise<string> =>
    store.db.company(companyId, async (tx) => {
      await tx.sql`set local enable_seqscan = off`;
      const query = selectEvents(tx, companyId, filter, { after, count: 51 }).toSQL();
      const rows = await tx.sql.unsafe<Record<string, string>[]>(
        `explain (costs off) ${query.sql}`,
        query.params as string[],
      );
      return rows.map((row) => row['QUERY PLAN']).join('\n');
    });

  it.each<[EventFilter, string]>([
    [{}, 'company_id_at_id_idx'],
    [{ type: 'api_key.created' }, 'company_id_type_at_id_idx'],
    [{ category: 'admin' }, 'company_id_category_at_id_idx'],
    [{ actorId: 'person-1' }, 'company_id_actor_id_at_id_idx'],
    [{ resourceId: 'key-1' }, 'company_id_resource_id_at_id_idx'],
    [{ resourceType: 'api_key' }, 'company_id_resource_type_at_id_idx'],
    [{ requestId: 'request-1' }, 'company_id_request_id_at_id_idx'],
    [{ severity: 'critical' }, 'company_id_severity_at_id_idx'],
    [{ result: 'denied' }, 'company_id_result_at_id_idx'],
  ])('read %j from its own index, in order and from the cursor on', async (filter, index) => {
    const text = await plan(filter);
    expect(text).toContain(index);
    expect(text).not.toContain('Seq Scan');
    expect(text).toMatch(/Merge Append/);
    expect(text).toMatch(/Index Cond: .*ROW\(at, id\) </);
  });

  it('touch only the months of their time window', async () => {
    const now = new Date();
    const from = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 2));
    const to = new Date(from.getTime() + 3_600_000);
    const scanned = (await plan({ from, to })).match(/audit_event_\d{4}_\d\d|audit_event_default/g);
    expect(new Set(scanned)).toEqual(new Set([`audit_event_${from.toISOString().slice(0, 7).replace('-', '_')}`]));
  });
});
