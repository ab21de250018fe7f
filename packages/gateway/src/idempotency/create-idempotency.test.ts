import { newId } from '@impact-hub/core';
import { controlledClock, createTestDatabase, keyPrincipal, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf, countEffects, fresh, makeCompany, openShop, type Shop } from './test-shop.ts';

const hourMs = 3_600_000;

let database: TestDatabase;
let shop: Shop;
let companyId: string;
let otherCompanyId: string;
const clock = controlledClock();
/** Started first and looked at last: it takes as long as a handler may. */
let slow: { name: string; key: string; answer: ReturnType<Shop['send']>; goOn: PromiseWithResolvers<void> };

const effects = (name: string): Promise<number> => countEffects(database, name);
const count = async (outcome: string): Promise<number> => {
  const { values } = await shop.metrics.getSingleMetric('idempotency_requests_total')!.get();
  return values.find(({ labels }) => labels['outcome'] === outcome)?.value ?? 0;
};

beforeAll(async () => {
  database = await createTestDatabase();
  [companyId, otherCompanyId] = [await makeCompany(database), await makeCompany(database)];
  shop = openShop({ db: database.db, clock, companyId });
  const { name, key } = fresh();
  const goOn = Promise.withResolvers<void>();
  shop.pauses.set(name, () => goOn.promise);
  slow = { name, key, goOn, answer: shop.send({ name }, { key }) };
});
afterAll(async () => {
  await shop.close();
  await database.drop();
});

describe('a change sent again with its Idempotency-Key', () => {
  it('is answered with the same bytes, status and headers, marked and dated, and made once', async () => {
    const { name, key } = fresh();
    const first = await shop.send({ name }, { key });
    const at = clock.now().toISOString();
    clock.advanceMs(5_000);
    const again = await shop.send({ name }, { key });
    expect(first).toMatchObject({ status: 201, headers: { 'set-cookie': ['a=1', 'b=2'] } });
    expect(first.headers).not.toHaveProperty('x-idempotency-replayed');
    expect(again).toEqual({
      ...first,
      headers: { ...first.headers, 'x-idempotency-replayed': 'true', 'x-original-timestamp': at },
    });
    expect(await effects(name)).toBe(1);
    const empty = fresh();
    const [a, b] = [
      await shop.send({ name: empty.name, status: 204 }, { key: empty.key }),
      await shop.send({ name: empty.name, status: 204 }, { key: empty.key }),
    ];
    expect([a.status, b.status, a.body, b.body, await effects(empty.name)]).toEqual([204, 204, '', '', 1]);
  });

  it('is the same one quoted or bare, and whatever the order of its properties and its white space', async () => {
    const { name, key } = fresh();
    const first = await shop.send({ name, extra: { a: 1, b: [1, 2] } }, { key });
    const text = `{ "extra" : {"b":[1,2], "a":1},\n "name":"${name}" }`;
    const again = await shop.send(text, { key: `"${key}"` });
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect(await effects(name)).toBe(1);
  });

  it('is refused with 422 when it is another request: body, query, address or method', async () => {
    const { name, key } = fresh();
    const url = `/things/${name}`;
    await shop.send({ name }, { key, url });
    const others = [
      await shop.send({ name, extra: 1 }, { key, url }),
      await shop.send({ name }, { key, url: `${url}?a=1` }),
      await shop.send({ name }, { key, url: `/things/${newId()}` }),
      await shop.send({ name }, { key, url: '/things' }),
      await shop.send({ name }, { key, url: '/things', method: 'PUT' }),
    ];
    expect(others.map((one) => [one.status, codeOf(one)])).toEqual(others.map(() => [422, 'idempotency.key_reused']));
    expect(await effects(name)).toBe(1);
  });

  it('belongs to one caller of one company', async () => {
    const { name, key } = fresh();
    const callers = [keyPrincipal(companyId, []), keyPrincipal(companyId, []), keyPrincipal(otherCompanyId, [])];
    // The same key id elsewhere cannot be, but must not matter either.
    callers.push({ ...callers[0]!, companyId: otherCompanyId });
    const person = {
      kind: 'person',
      personId: newId(),
      email: 'p@example.org',
      sessionId: newId(),
      role: 'viewer',
    } as const;
    callers.push({ ...person, companyId, scopes: new Set() });
    const bodies = new Set<string>();
    for (const caller of callers) bodies.add((await shop.send({ name }, { key, caller })).body);
    for (const caller of callers) bodies.add((await shop.send({ name }, { key, caller })).body);
    expect(bodies.size).toBe(callers.length);
    expect(await effects(name)).toBe(callers.length);
  });

  it('counts for 24 hours, then the key is free again', async () => {
    const { name, key } = fresh();
    const first = await shop.send({ name }, { key });
    clock.advanceMs(24 * hourMs - 1);
    expect((await shop.send({ name }, { key })).body).toBe(first.body);
    clock.advanceMs(1);
    const second = await shop.send({ name, extra: 'other' }, { key });
    expect([second.status, second.body === first.body]).toEqual([201, false]);
    expect((await shop.send({ name, extra: 'other' }, { key })).body).toBe(second.body);
    expect(await effects(name)).toBe(2);
  });

  it('is refused with 409 while the first is under way, and answered afterwards', async () => {
    const { name, key } = fresh();
    const goOn = Promise.withResolvers<void>();
    const started = new Promise<void>((resolve) => {
      shop.pauses.set(name, () => {
        resolve();
        return goOn.promise;
      });
    });
    const first = shop.send({ name }, { key });
    await started;
    const meanwhile = await shop.send({ name }, { key });
    expect([meanwhile.status, codeOf(meanwhile), meanwhile.headers['retry-after']]).toEqual([
      409,
      'idempotency.in_flight',
      '1',
    ]);
    goOn.resolve();
    expect((await shop.send({ name: 'x' })).status).toBe(201);
    expect((await first).status).toBe(201);
    expect((await shop.send({ name }, { key })).body).toBe((await first).body);
    expect(await effects(name)).toBe(1);
  });
});

describe('what is stored of refusals', () => {
  it.each([404, 409, 410, 412, 422])('%i counts as the answer, thrown or returned', async (status) => {
    for (const how of ['throw', 'return']) {
      const { name, key } = fresh();
      const first = await shop.send({ name, status, how }, { key });
      const again = await shop.send({ name, status, how }, { key });
      expect([first.status, again.status, again.body]).toEqual([status, status, first.body]);
      expect(again.headers['content-type']).toBe(first.headers['content-type']);
      expect([again.headers['x-why'], again.headers['x-idempotency-replayed']]).toEqual([
        first.headers['x-why'],
        'true',
      ]);
      expect(await effects(name)).toBe(1);
    }
  });

  it.each([400, 401, 403, 429])('%i may pass: nothing is stored, and what the handler noted stays', async (status) => {
    const { name, key } = fresh();
    for (const noted of [1, 2]) {
      const answer = await shop.send({ name, status, how: 'throw' }, { key });
      expect([answer.status, answer.headers['x-idempotency-replayed']]).toEqual([status, undefined]);
      expect(await effects(name)).toBe(noted);
    }
    expect((await shop.send({ name }, { key })).status).toBe(201);
  });

  it.each([500, 503])('%i undoes everything the handler did, and the retry starts afresh', async (status) => {
    for (const how of ['throw', 'return']) {
      const { name, key } = fresh();
      expect((await shop.send({ name, status, how }, { key })).status).toBe(status);
      expect(await effects(name)).toBe(0);
      expect((await shop.send({ name }, { key })).status).toBe(201);
      expect(await effects(name)).toBe(1);
    }
  });

  it('is nothing for input that is not valid', async () => {
    const { name, key } = fresh();
    expect((await shop.send({ name, nonsense: 1 }, { key })).status).toBe(400);
    expect((await shop.send({ name }, { key })).status).toBe(201);
  });
});

describe('an answer that cannot be shown again', () => {
  it('because it was too large: the change is still made once, and the 409 says so', async () => {
    const { name, key } = fresh();
    const body = { name, padding: 1_048_576 };
    expect((await shop.send(body, { key })).status).toBe(201);
    const again = await shop.send(body, { key });
    expect([again.status, codeOf(again)]).toEqual([409, 'idempotency.answer_unreadable']);
    expect(again.headers).toMatchObject({
      'x-idempotency-replayed': 'true',
      'x-original-timestamp': clock.now().toISOString(),
    });
    expect(again.body).toContain('answered with 201');
    expect(await effects(name)).toBe(1);
  });

  it('because its bytes no longer open: the same', async () => {
    const { name, key } = fresh();
    await shop.send({ name }, { key });
    await database.owner`update idempotency_record set sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)`;
    const again = await shop.send({ name }, { key });
    expect([again.status, codeOf(again)]).toEqual([409, 'idempotency.answer_unreadable']);
    expect(await effects(name)).toBe(1);
  });
});

describe('the header', () => {
  it('must be one key: anything else is 400 and names it', async () => {
    for (const key of ['', 'a b', 'x'.repeat(256)]) {
      const { name } = fresh();
      const answer = await shop.send({ name }, { key });
      expect(answer.status).toBe(400);
      expect(answer.body).toContain('/headers/idempotency-key');
      expect(await effects(name)).toBe(0);
    }
  });

  it('means nothing to reads, to callers without a company, and where a route says so', async () => {
    for (const sent of [{ method: 'GET' }, { url: '/public' }, { url: '/none' }] as const) {
      const [a, b] = [
        await shop.send(undefined, { key: 'not a key', ...sent }),
        await shop.send(undefined, { key: 'k', ...sent }),
      ];
      expect([a.status, b.status]).toEqual([200, 200]);
      expect(a.body).not.toBe(b.body);
    }
  });

  it('is refused where it could not be honoured, rather than believed', async () => {
    const answer = await shop.send(undefined, { key: 'k', url: '/refused' });
    expect([answer.status, answer.body.includes('/headers/idempotency-key')]).toEqual([400, true]);
    expect((await shop.send(undefined, { url: '/refused' })).status).toBe(200);
  });
});

describe('the outcomes', () => {
  it('are counted', async () => {
    for (const outcome of ['executed', 'not_stored', 'replayed', 'in_flight', 'mismatch', 'unreadable'])
      expect(await count(outcome), outcome).toBeGreaterThan(0);
    const before = await count('replayed');
    const { name, key } = fresh();
    await shop.send({ name }, { key });
    await shop.send({ name }, { key });
    expect(await count('replayed')).toBe(before + 1);
  });
});

describe('a handler that takes too long', () => {
  it('leaves its caller with 503; the change is in flight, and then made once and answered', async () => {
    expect((await slow.answer).status).toBe(503);
    const meanwhile = await shop.send({ name: slow.name }, { key: slow.key });
    expect([meanwhile.status, codeOf(meanwhile)]).toEqual([409, 'idempotency.in_flight']);
    slow.goOn.resolve();
    let after = meanwhile;
    while (after.status === 409) after = await shop.send({ name: slow.name }, { key: slow.key });
    expect([after.status, after.headers['x-idempotency-replayed']]).toEqual([201, 'true']);
    expect(await effects(slow.name)).toBe(1);
  });
});
