import { expect, test } from 'vitest';
import { storeReceipts } from '../inbox/store-receipts.ts';
import { receiptRow } from '../inbox/test-receipts.ts';
import { useTestHub } from '../test-hub.ts';

const hub = await useTestHub();

test('a conflict is told once, also when its batch is stored again because the answer to it was lost', async () => {
  const companyId = await hub.addCompany();
  const { id: endpointId } = await hub.addEndpoint(companyId, { partner: 'benevity' });
  const place = { companyId, endpointId };
  const event = { id: 'told once' };
  await storeReceipts(hub.db.systemSql, [receiptRow(place, { ...event, body: 'first' }, { outcome: 'quarantined' })]);
  const other = receiptRow(place, { ...event, body: 'other' });
  expect(await storeReceipts(hub.db.systemSql, [other])).toMatchObject([{ kind: 'conflict', receiptId: other.id }]);
  await hub.runJobs();
  expect(await storeReceipts(hub.db.systemSql, [other])).toMatchObject([{ kind: 'conflict', receiptId: other.id }]);
  await hub.runJobs();
  const told = await hub.owner`
    select 1 from audit_event where resource_id = ${other.id} and type = 'impact_in.receipt.conflict'`;
  expect(told).toHaveLength(1);
  expect(await hub.owner`select 1 from job where company_id = ${companyId}`).toHaveLength(0);
});
