import { expect, test } from 'vitest';
import { createMetrics } from '@impact-hub/core';
import { createOutboundMetrics } from './outbound-metrics.ts';
import { useStage } from './test-outbound.ts';

const stage = await useStage();
const companyId = await stage.hub.addCompany();

const scrape = async () => {
  const registry = createMetrics();
  createOutboundMetrics(registry, stage.hub.db.systemSql);
  const text = await registry.metrics();
  const figure = (name: string) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.split(' ')[1],
    );
  return {
    oldestSeconds: figure('impact_in_outbound_oldest_due_seconds'),
    waiting: figure('impact_in_outbound_backlog{state="waiting"}'),
    paused: figure('impact_in_outbound_backlog{state="paused"}'),
  };
};

test('what waits for a paused connection is not late, and is counted as paused', async () => {
  const connectionId = await stage.connect(companyId, 'goodera');
  await stage.send(companyId, connectionId);
  await stage.hub.owner`update impact_in_outbound set due_at = now() - interval '1 hour'`;
  const active = await scrape();
  expect(active).toMatchObject({ waiting: 1, paused: 0 });
  expect(active.oldestSeconds).toBeGreaterThan(3_500);
  await stage.ask(companyId, 'PATCH', `/connections/${connectionId}`, { state: 'paused' });
  expect(await scrape()).toEqual({ waiting: 0, paused: 1, oldestSeconds: 0 });
});
