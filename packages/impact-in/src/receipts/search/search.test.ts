import { setImmediate as nextTurn } from 'node:timers/promises';
import { newId } from '@impact-hub/core';
import { expect, test, vi } from 'vitest';
import { eventOf, read, sendSigned, useTestHub, type TestEndpoint } from '../../test-hub.ts';
import { applyRetention } from '../retention/apply-retention.ts';
import { readTerms } from './read-terms.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();
const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });

const setFields = (id: string, body: object, company = companyId) =>
  hub.server.inject({
    method: 'PUT',
    url: `/api/v1/impact-in/endpoints/${id}/search-fields`,
    headers: { 'x-test-company': company, 'content-type': 'application/json' },
    payload: JSON.stringify(body),
  });
const deliver = async (to: TestEndpoint, seed: string, more: object = {}): Promise<string> => {
  const { payload } = eventOf('benevity', seed);
  const { receiptId } = (await sendSigned(hub, to, { ...payload, ...more })).json<{ receiptId: string }>();
  await hub.runJobs();
  return receiptId;
};
const ask = (field: string, value: string, more = '', company = companyId) =>
  read(hub, company, `/deliveries?field=${encodeURIComponent(field)}&value=${encodeURIComponent(value)}${more}`);
const search = async (...asked: Parameters<typeof ask>): Promise<string[]> => {
  const answer = await ask(...asked);
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${answer.body}`);
  return answer.json<{ data: { id: string }[] }>().data.map(({ id }) => id);
};

test('deliveries are found by the whole value of a chosen field, newest first, together with other filters', async () => {
  const before = await deliver(endpoint, 'before', { project: { 'na/me': 'Reading' } });
  expect((await setFields(endpoint.id, { fields: ['/project/na~1me', '/hours', '/done'] })).statusCode).toBe(200);
  const first = await deliver(endpoint, 'first', { project: { 'na/me': 'Reading' }, hours: 3, done: true });
  const second = await deliver(endpoint, 'second', { project: { 'na/me': 'Reading' }, hours: 4, done: { deep: true } });
  expect(await search('/project/na~1me', 'Reading')).toEqual([second, first]);
  expect(await search('/project/na~1me', 'Reading', '&limit=1')).toEqual([second]);
  expect(await search('/project/na~1me', 'Read')).toEqual([]);
  expect(await search('/hours', '3')).toEqual([first]);
  expect(await search('/done', 'true')).toEqual([first]);
  expect(await search('/hours', '3', '&direction=outbound')).toEqual([]);
  expect(await search('/project/na~1me', 'Reading')).not.toContain(before);
});

test('searching reads what processing reads: an event after a mark of byte order is delivered, and found', async () => {
  const place = await hub.addEndpoint(companyId, { partner: 'benevity' });
  await setFields(place.id, { fields: ['/project'] });
  const { payload } = eventOf('benevity', 'marked');
  const body = Buffer.from(`\ufeff${JSON.stringify({ ...payload, project: 'marked' })}`);
  const { receiptId } = (await sendSigned(hub, place, body)).json<{ receiptId: string }>();
  await hub.runJobs();
  expect((await read(hub, companyId, `/deliveries/${receiptId}`)).statusCode).toBe(200);
  expect(await search('/project', 'marked')).toEqual([receiptId]);
});

test('what cannot be read has no terms', () => {
  const key = Buffer.alloc(32);
  for (const text of ['', '{', '\ufeff', 'null', '7', '[]'])
    expect(readTerms(key, ['/a'], Buffer.from(text))).toEqual([]);
  expect(readTerms(key, ['/a/0'], Buffer.from('{"a":["x"]}'))).toHaveLength(1);
  expect(readTerms(key, ['/__proto__/toString', '/length'], Buffer.from('[]'))).toHaveLength(1);
});

test('a batch of large events is read with pauses', async () => {
  const place = await hub.addEndpoint(companyId, { partner: 'benevity' });
  await setFields(place.id, { fields: ['/n'] });
  const events = Array.from({ length: 20 }, (_, n) => ({
    deliveryId: newId(),
    endpointId: place.id,
    body: Buffer.from(JSON.stringify({ n, filler: 'x'.repeat(50_000) })),
  }));
  let turn = 0;
  const readIn: number[] = [];
  const { parse } = JSON;
  const spy = vi.spyOn(JSON, 'parse').mockImplementation((text, reviver): unknown => {
    if (text.length >= 50_000) readIn.push(turn);
    return parse(text, reviver);
  });
  const { search: index } = hub.impactIn.deps.records;
  const working = hub.db.company(companyId, (tx) => index.add(tx, events)).finally(() => (turn = -1));
  while (turn >= 0) {
    await nextTurn();
    if (turn >= 0) turn += 1;
  }
  spy.mockRestore();
  await working;
  const counts = Map.groupBy(readIn, (each) => each);
  expect(readIn).toHaveLength(20);
  expect(Math.max(...[...counts.values()].map((each) => each.length))).toBeLessThanOrEqual(2);
});

test('pages follow each other without a gap', async () => {
  const place = await hub.addEndpoint(companyId, { partner: 'benevity' });
  await setFields(place.id, { fields: ['/batch'] });
  const ids: string[] = [];
  for (let n = 0; n < 5; n += 1) ids.push(await deliver(place, `paged ${n}`, { batch: 'b1' }));
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const path = `/deliveries?field=/batch&value=b1&limit=2${cursor === null ? '' : `&cursor=${cursor}`}`;
    const page: { data: { id: string }[]; nextCursor: string | null } = (await read(hub, companyId, path)).json();
    seen.push(...page.data.map(({ id }) => id));
    cursor = page.nextCursor;
  } while (cursor !== null);
  expect(seen).toEqual(ids.toReversed());
});

test('the usual fields of the partner are taken when none are named, and none ends it', async () => {
  const place = await hub.addEndpoint(companyId, { partner: 'benevity' });
  expect((await setFields(place.id, {})).json()).toMatchObject({
    endpointId: place.id,
    fields: ['/organization_id', '/transaction_id', '/status'],
  });
  const id = await deliver(place, 'usual', { organization_id: 'org_usual' });
  expect(await search('/organization_id', 'org_usual')).toEqual([id]);
  await setFields(place.id, { fields: [] });
  await deliver(place, 'ended', { organization_id: 'org_ended' });
  expect(await search('/organization_id', 'org_usual')).toEqual([id]);
  expect((await ask('/organization_id', 'org_ended')).statusCode).toBe(400);
});

test('a search by a field that no endpoint has is refused, and says how to make it searchable', async () => {
  const [company, other] = [await hub.addCompany(), await hub.addCompany()];
  const place = await hub.addEndpoint(company, { partner: 'benevity' });
  const beside = await hub.addEndpoint(company, { partner: 'goodera' });
  const theirs = await hub.addEndpoint(other, { partner: 'benevity' });
  await setFields(theirs.id, { fields: ['/invoice'] }, other);
  const answer = await ask('/invoice', '7', '', company);
  expect(answer.statusCode).toBe(400);
  const [error] = answer.json<{ errors: { pointer: string; detail: string }[] }>().errors;
  expect(error?.pointer).toBe('/query/field');
  expect(error?.detail).toContain(`PUT /api/v1/impact-in/endpoints/{id}/search-fields`);
  await setFields(place.id, { fields: ['/invoice'] }, company);
  expect(await search('/invoice', '7', '', company)).toEqual([]);
  expect(await search('/invoice', '7', `&endpointId=${place.id}`, company)).toEqual([]);
  expect((await ask('/invoice', '7', `&endpointId=${beside.id}`, company)).statusCode).toBe(400);
});

test('each field says since when it is searchable, and keeps that when others come', async () => {
  const place = await hub.addEndpoint(companyId, { partner: 'benevity' });
  const fieldsOf = async () => (await read(hub, companyId, `/endpoints/${place.id}/search-fields`)).json();
  expect(await fieldsOf()).toEqual({ endpointId: place.id, fields: [], searchableSince: {} });
  const first = (await setFields(place.id, { fields: ['/a', '/b'] })).json<{ searchableSince: object }>();
  expect(first.searchableSince).toEqual({ '/a': expect.any(String), '/b': expect.any(String) });
  await hub.owner`
    update impact_in_search_setting set searchable_since = ${JSON.stringify({ '/a': '2026-01-02T03:04:05.000Z' })}::text::jsonb
    where endpoint_id = ${place.id}`;
  const second = (await setFields(place.id, { fields: ['/c', '/a'] })).json<{ searchableSince: object }>();
  expect(second.searchableSince).toEqual({ '/a': '2026-01-02T03:04:05.000Z', '/c': expect.any(String) });
  await setFields(place.id, { fields: ['/c'] });
  const third = (await setFields(place.id, { fields: ['/c', '/a'] })).json<{
    searchableSince: Record<string, string>;
  }>();
  expect(third.searchableSince['/a']).not.toBe('2026-01-02T03:04:05.000Z');
  expect(await fieldsOf()).toEqual(third);
});

test('the index holds no value in the clear, and the same value stands otherwise for every company', async () => {
  const other = await hub.addCompany();
  const theirs = await hub.addEndpoint(other, { partner: 'benevity' });
  await setFields(endpoint.id, { fields: ['/person'] });
  await setFields(theirs.id, { fields: ['/person'] }, other);
  const mine = await deliver(endpoint, 'mine', { person: 'Ada Lovelace' });
  const foreign = await deliver(theirs, 'theirs', { person: 'Ada Lovelace' });
  expect(await search('/person', 'Ada Lovelace')).toEqual([mine]);
  expect(await search('/person', 'Ada Lovelace', '', other)).toEqual([foreign]);
  const terms = await hub.owner<{ term: Buffer }[]>`
    select term from impact_in_search_entry where delivery_id = any(${[mine, foreign]})`;
  expect(new Set(terms.map(({ term }) => term.toString('hex'))).size).toBe(2);
  expect(terms.every(({ term }) => term.length === 16)).toBe(true);
});

test('endpoints of others, and what is no pointer, are refused', async () => {
  const other = await hub.addCompany();
  expect((await setFields(endpoint.id, { fields: ['/a'] }, other)).statusCode).toBe(404);
  for (const fields of [['a'], ['/'], ['/a~2'], Array.from({ length: 9 }, (_, n) => `/f${n}`)])
    expect((await setFields(endpoint.id, { fields })).statusCode, fields.join()).toBe(400);
  expect((await read(hub, companyId, '/deliveries?field=/a')).statusCode).toBe(400);
  expect((await read(hub, companyId, '/deliveries?value=a')).statusCode).toBe(400);
});

test('entries go when their deliveries do', async () => {
  await setFields(endpoint.id, { fields: ['/old'] });
  const id = await deliver(endpoint, 'old', { old: 'yes' });
  const old = `01000000${id.slice(8)}`;
  await hub.owner`update impact_in_search_entry set delivery_id = ${old} where delivery_id = ${id}`;
  await applyRetention(hub.impactIn.deps, new AbortController().signal);
  expect(await hub.owner`select 1 from impact_in_search_entry where delivery_id = ${old}`).toHaveLength(0);
});
