import { bindModule, newId } from '@impact-hub/core';
import {
  controlledClock,
  createTestDatabase,
  createTestServer,
  keyPrincipal,
  type TestDatabase,
} from '@impact-hub/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { actorOf, type AuditEvent } from './audit-event.ts';
import { leafHash } from './leaf-hash.ts';
import { auditModule } from './module.ts';
import { recordAudit } from './record-audit.ts';
import type { EventView } from './schema.ts';

type Page = { data: (Omit<EventView, 'at'> & { at: string })[]; nextCursor: string | null };

const event: AuditEvent = {
  type: 'api_key.created',
  category: 'admin',
  actor: { kind: 'person', id: 'person-1' },
  resource: { type: 'api_key', id: 'key-1' },
  request: { id: 'request-1', ip: '192.0.2.7', userAgent: 'curl/8' },
  changes: { name: 'CI', scopes: ['data:read'] },
};

describe('the audit log', () => {
  let store: TestDatabase;
  let api: ReturnType<typeof createTestServer>;
  let companyId: string;
  const clock = controlledClock(new Date('2026-03-01T00:00:00Z'));
  beforeAll(async () => {
    store = await createTestDatabase();
    api = createTestServer([bindModule(auditModule, { db: store.db })]);
  });
  beforeEach(() => {
    companyId = newId();
  });
  afterAll(async () => {
    await api.close();
    await store.drop();
  });

  const record = (extra: Partial<AuditEvent> = {}, company = companyId) =>
    store.db.company(company, (tx) => recordAudit(tx, { ...event, ...extra }, clock));
  const get = (query: string, company = companyId, scopes = ['audit:read']) =>
    api.call(keyPrincipal(company, scopes), 'GET', `/api/v1/audit/events${query}`);
  const list = async (query = '', company = companyId): Promise<Page> => {
    const response = await get(query, company);
    expect(response.statusCode, response.body).toBe(200);
    return response.json();
  };

  it('shows an event as it was recorded, every field named', async () => {
    const id = await record();
    const { data } = await list();
    const [row] = await store.owner`select body, leaf_hash from audit_event where id = ${id}`;
    const expectedHash = leafHash(row?.['body'] as Buffer);
    expect(row?.['leaf_hash']).toEqual(expectedHash);
    expect(data).toEqual([
      {
        id,
        at: '2026-03-01T00:00:00.000Z',
        type: 'api_key.created',
        category: 'admin',
        severity: 'info',
        result: 'success',
        actor: { kind: 'person', id: 'person-1' },
        resource: { type: 'api_key', id: 'key-1' },
        request: { id: 'request-1', ip: '192.0.2.7', userAgent: 'curl/8' },
        changes: { name: 'CI', scopes: ['data:read'] },
        metadata: null,
        leafHash: expectedHash.toString('hex'),
      },
    ]);
  });

  it('has no event of a change that was rolled back', async () => {
    const failed = store.db.company(companyId, async (tx) => {
      await recordAudit(tx, event);
      throw new Error('the change failed');
    });
    await expect(failed).rejects.toThrow('the change failed');
    expect((await list()).data).toEqual([]);
  });

  it('stops the change when the event cannot be recorded', async () => {
    const attempt = store.db.company(companyId, (tx) => recordAudit(tx, { ...event, type: 'Not A Type' }));
    await expect(attempt).rejects.toThrow('malformed');
    await expect(record({ changes: { lost: undefined } })).rejects.toThrow('changes/lost');
  });

  it('shows a company its own events only, and lets it write no others', async () => {
    const other = newId();
    await record({}, other);
    await store.db.system((tx) => recordAudit(tx, { ...event, companyId }));
    await store.db.system((tx) => recordAudit(tx, event));
    expect((await list()).data).toHaveLength(1);
    expect((await list('', other)).data).toHaveLength(1);
    await expect(record({ companyId: other })).rejects.toThrow('row-level security');
    await expect(record({ companyId: null })).rejects.toThrow('row-level security');
    expect(await store.owner`select 1 from audit_event where company_id is null`).not.toHaveLength(0);
  });

  it('needs the scope audit:read', async () => {
    expect((await get('', companyId, ['data:read'])).statusCode).toBe(403);
    expect((await api.call(undefined, 'GET', '/api/v1/audit/events')).statusCode).toBe(401);
  });

  const variants: Partial<AuditEvent>[] = [
    { type: 'session.ended', category: 'authentication' },
    { severity: 'critical', result: 'denied' },
    { actor: { kind: 'api_key', id: 'AbCdEfGhIjKl' }, resource: { type: 'endpoint', id: 'endpoint-9' } },
    { request: { id: 'request-2', ip: '::1', userAgent: undefined } },
  ];
  it.each([
    ['type=session.ended', 1],
    ['category=authentication', 1],
    ['severity=critical', 1],
    ['severity=info', 3],
    ['result=denied', 1],
    ['actorId=AbCdEfGhIjKl', 1],
    ['actorId=person-1', 3],
    ['resourceType=endpoint', 1],
    ['resourceId=endpoint-9', 1],
    ['requestId=request-2', 1],
    ['category=admin&severity=critical&result=denied&actorId=person-1', 1],
    ['category=admin&type=session.ended', 0],
    ['type=nothing.such', 0],
  ])('filters by %s', async (query, count) => {
    for (const variant of variants) await record(variant);
    expect((await list(`?${query}`)).data).toHaveLength(count);
  });

  it('filters by time: from is included, to is not, and zones are honoured', async () => {
    const ids: string[] = [];
    for (let hour = 0; hour < 4; hour += 1) {
      ids.unshift(await record());
      clock.advanceMs(3_600_000);
    }
    const found = await list('?from=2026-03-01T01:00:00Z&to=2026-03-01T04:00:00%2B01:00');
    expect(found.data.map(({ id }) => id)).toEqual(ids.slice(1, 3));
  });

  it('pages through events of one millisecond without loss or repetition', async () => {
    const ids = await store.db.company(companyId, async (tx) => {
      const made: string[] = [];
      for (let i = 0; i < 25; i += 1) made.unshift(await recordAudit(tx, event, clock));
      return made;
    });
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Page = await list(`?limit=7${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...page.data.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(ids);
  });

  const farFuture = Buffer.from(JSON.stringify([8.7e15, newId()])).toString('base64url');
  it.each([
    ['cursor=garbage', '/query/cursor'],
    [`cursor=${farFuture}`, '/query/cursor'],
    ['limit=0', '/query/limit'],
    ['limit=9999', '/query/limit'],
    ['category=nonsense', '/query/category'],
    ['from=yesterday', '/query/from'],
    ['from=0000-01-01T00:00:00Z', '/query/from'],
    ['to=2026-13-01T00:00:00Z', '/query/to'],
    ['actorId=', '/query/actorId'],
    ['resourceId=%00', '/query/resourceId'],
    [`type=${'x'.repeat(201)}`, '/query/type'],
    ['nosuch=1', '/query/nosuch'],
    ['actorId=a&actorId=b', '/query/actorId'],
  ])('answers 400 to %s and names the field', async (query, pointer) => {
    const response = await get(`?${query}`);
    expect(response.statusCode, response.body).toBe(400);
    expect(response.json()).toMatchObject({ code: 'request.invalid', errors: [{ pointer }] });
  });

  it('survives whatever text callers put into events', async () => {
    const wild = 'NUL \u0000, lone \ud800, ünï, "quotes"';
    await record({ resource: { type: 'note', id: wild.repeat(20) }, metadata: { wild, [wild]: 1 } });
    const { data } = await list();
    expect(data[0]?.metadata).toEqual({ wild: wild.toWellFormed(), [wild.toWellFormed()]: 1 });
  });
});

describe('actorOf', () => {
  it('names keys by their public id, people by their id and nobody as anonymous', () => {
    const key = keyPrincipal(newId(), []);
    expect(actorOf(key)).toEqual({ kind: 'api_key', id: key.kind === 'api_key' ? key.keyId : '' });
    const person = { personId: 'p', email: 'e@example.org', sessionId: 's', role: 'viewer', companyId: newId() };
    expect(actorOf({ kind: 'person', ...person, scopes: new Set() })).toEqual({ kind: 'person', id: 'p' });
    expect(actorOf({ kind: 'anonymous', companyId: null, scopes: new Set() }).kind).toBe('anonymous');
  });
});
