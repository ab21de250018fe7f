import { connectDatabase, newId } from '@impact-hub/core';
import { controlledClock, createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeExpiredRecords } from './remove-expired-records.ts';
import { codeOf, countEffects, fresh, makeCompany, openShop, type Shop } from './test-shop.ts';

const hourMs = 3_600_000;

let database: TestDatabase;
let shop: Shop;
let companyId: string;
let otherCompanyId: string;
const clock = controlledClock();

const effects = (name: string): Promise<number> => countEffects(database, name);

beforeAll(async () => {
  database = await createTestDatabase();
  [companyId, otherCompanyId] = [await makeCompany(database), await makeCompany(database)];
  shop = openShop({ db: database.db, clock, companyId });
});
afterAll(async () => {
  await shop.close();
  await database.drop();
});

describe('the table of answers', () => {
  it('holds neither keys nor answers that could be read', async () => {
    const { name, key } = fresh();
    const { body } = await shop.send({ name }, { key });
    const [row] = await database.owner<{ text: string }[]>`
      select string_agg(r::text || encode(coalesce(sealed, ''), 'escape'), '') as text from idempotency_record r`;
    for (const secret of [name, key, (JSON.parse(body) as { id: string }).id]) expect(row?.text).not.toContain(secret);
  });

  it('shows a company its own rows only', async () => {
    await shop.send({ name: newId() }, { key: newId() });
    const seen = await database.db.company(
      otherCompanyId,
      (tx) => tx.sql<{ companyId: string }[]>`
      select distinct company_id as "companyId" from idempotency_record`,
    );
    expect(seen.map((row) => row.companyId)).not.toContain(companyId);
    const foreign = database.db.company(
      otherCompanyId,
      (tx) => tx.sql`
      insert into idempotency_record values
        (${companyId}, 'key:x', ${Buffer.alloc(32)}, ${Buffer.alloc(32)}, 200, null, now(), now())`,
    );
    await expect(foreign).rejects.toThrow('row-level security');
  });

  it('makes a second effect impossible even if the lock failed: the change is undone with 409', async () => {
    const { name, key } = fresh();
    clock.advanceMs(1);
    await shop.send({ name }, { key });
    const [kept] = await database.owner`
      delete from idempotency_record where answered_at = ${clock.now()} returning *`;
    shop.pauses.set(name, () => database.owner`insert into idempotency_record ${database.owner(kept ?? {})}`);
    const second = await shop.send({ name }, { key });
    expect([second.status, codeOf(second)]).toEqual([409, 'idempotency.in_flight']);
    expect(await effects(name)).toBe(1);
  });

  it('loses what has expired, and nothing else', async () => {
    const own = controlledClock(new Date('2030-01-01T00:00:00Z'));
    const later = openShop({ db: database.db, clock: own, companyId });
    const { name, key } = fresh();
    await later.send({ name }, { key });
    await database.owner`
      insert into idempotency_record
      select company_id, 'key:many', sha256(n::text::bytea), fingerprint, status, sealed, answered_at, answered_at
      from (select * from idempotency_record order by expires_at limit 1) one, generate_series(1, 2500) n`;
    expect(await removeExpiredRecords({ db: database.db, clock: own })).toBeGreaterThanOrEqual(2_500);
    expect((await later.send({ name }, { key })).headers['x-idempotency-replayed']).toBe('true');
    own.advanceMs(24 * hourMs);
    await removeExpiredRecords({ db: database.db, clock: own });
    expect(await database.owner`select 1 from idempotency_record`).toHaveLength(0);
    await later.close();
  });
});

describe('many at once', () => {
  it('fifty copies of one change: one effect, and every answer is that one’s or 409', async () => {
    const { name, key } = fresh();
    const answers = await Promise.all(Array.from({ length: 50 }, () => shop.send({ name }, { key })));
    expect(await effects(name)).toBe(1);
    const made = answers.filter(({ status }) => status === 201);
    expect(new Set(made.map(({ body }) => body)).size).toBe(1);
    const others = answers.filter(({ status }) => status !== 201).map(codeOf);
    expect(others.filter((code) => code !== 'idempotency.in_flight')).toEqual([]);
    expect((await shop.send({ name }, { key })).body).toBe(made[0]?.body);
  });

  it('thirty different changes over four connections get through', async () => {
    const { runtimeUrl, systemUrl } = database;
    const db = connectDatabase({ runtimeUrl, systemUrl, maxConnections: 4 });
    const narrow = openShop({ db, clock, companyId });
    const names = Array.from({ length: 30 }, newId);
    const answers = await Promise.all(names.map((name) => narrow.send({ name }, { key: name })));
    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 201));
    await narrow.close();
    await db.close();
  });
});
