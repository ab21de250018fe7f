import { newId } from '@impact-hub/core';
import { expect, test } from 'vitest';
import { read, useTestHub } from '../test-hub.ts';
import { deliver, post, start, type Problem } from './test-replays.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();

test.each([
  ['/deliveries/bulk-replay', {}, '/body/from'],
  ['/deliveries/bulk-replay', { ids: [] }, '/body/ids'],
  ['/deliveries/bulk-replay', { ids: ['x'] }, '/body/ids/0'],
  ['/deliveries/bulk-replay', { ids: [newId()], from: '2026-01-01T00:00:00Z' }, '/body/from'],
  ['/deliveries/bulk-replay', { ids: [newId()], partner: 'goodera' }, '/body/partner'],
  ['/deliveries/bulk-replay', { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }, '/body/from'],
  ['/deliveries/bulk-replay', { from: 'yesterday' }, '/body/from'],
  ['/deliveries/bulk-replay', { from: '2026-01-01T00:00:00Z', status: 'great' }, '/body/status'],
  ['/deliveries/bulk-replay', { from: '2026-01-01T00:00:00Z', eventType: 'a\u0000' }, '/body/eventType'],
  ['/deliveries/bulk-replay', { from: '2026-01-01T00:00:00Z', ratePerSecond: 0 }, '/body/ratePerSecond'],
  ['/deliveries/retry-all-failed', { partner: 'nobody' }, '/body/partner'],
  ['/deliveries/retry-all-failed', { status: 'failed' }, '/body/status'],
])('%s %j is refused naming %s, and nothing is written', async (path, body, pointer) => {
  const company = await hub.addCompany();
  const answer = await post(hub, company, path, body);
  expect(answer.statusCode).toBe(400);
  expect(answer.json<{ errors: { pointer: string }[] }>().errors.map((error) => error.pointer)).toContain(pointer);
  expect(await hub.owner`select 1 from impact_in_replay where company_id = ${company}`).toHaveLength(0);
});

test('replays are listed newest first, by state and kind, to their company alone', async () => {
  const company = await hub.addCompany();
  const id = await deliver(hub, await hub.addEndpoint(company, { partner: 'benevity' }), 'listed');
  const one = await start(hub, company, `/deliveries/${id}/replay`);
  const bulk = await start(hub, company, '/deliveries/bulk-replay', { ids: [id] });
  const listed = async (query: string, asked = company) =>
    (await read(hub, asked, `/replays${query}`)).json<{ data: { id: string }[] }>().data.map((replay) => replay.id);
  expect(await listed('')).toEqual([bulk.id, one.id]);
  expect(await listed('?kind=one')).toEqual([one.id]);
  expect(await listed('?state=waiting')).toEqual([bulk.id]);
  expect(await listed('?limit=1')).toEqual([bulk.id]);
  expect(await listed('', companyId)).not.toContain(one.id);
});

test('more ids than one request may name are refused', async () => {
  const ids = Array.from({ length: 10_001 }, () => newId());
  const answer = await post(hub, companyId, '/deliveries/bulk-replay', { ids });
  expect([answer.statusCode, answer.json<Problem>().errors?.[0]?.pointer]).toEqual([400, '/body/ids']);
});

test('a dry run counts exactly, shows a sample and writes nothing', async () => {
  const company = await hub.addCompany();
  const endpoint = await hub.addEndpoint(company, { partner: 'benevity' });
  const ids = [];
  for (let n = 0; n < 12; n += 1) ids.push(await deliver(hub, endpoint, `dry ${n}`));
  const everything = () => hub.owner`
    select (select count(*) from impact_in_replay) as replays, (select count(*) from impact_in_replay_item) as items,
      (select count(*) from audit_event) as events, (select count(*) from job) as jobs,
      (select md5(string_agg(d::text, '' order by id)) from impact_in_delivery d) as deliveries`;
  const before = await everything();
  const from = new Date(Date.now() - 60_000).toISOString();
  for (const body of [
    { from, dryRun: true },
    { ids: [...ids, newId()], dryRun: true },
  ]) {
    const answer = await post(hub, company, '/deliveries/bulk-replay', body);
    expect(answer.statusCode).toBe(200);
    const { sample, ...told } = answer.json<{ selected: number; sample: { id: string }[] }>();
    expect(told).toEqual({ dryRun: true, selected: 12 });
    expect(sample.map(({ id }) => id)).toEqual(ids.slice(0, 10));
  }
  expect((await post(hub, company, `/deliveries/${ids[0]}/replay`, { dryRun: true })).statusCode).toBe(200);
  expect(await everything()).toEqual(before);
});
