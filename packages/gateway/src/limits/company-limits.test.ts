import { expect, it } from 'vitest';
import { createCompanyLimits } from './company-limits.ts';

it('lets every request wait for a limit that was never read, not only the first', async () => {
  let answer: (rows: { perMinute: number }[]) => void = () => undefined;
  const rows = new Promise<{ perMinute: number }[]>((resolve) => (answer = resolve));
  const companies = createCompanyLimits({
    sql: (() => rows) as never,
    changes: { subscribe: () => undefined, isCurrent: () => true },
    defaultPerMinute: 1_000,
    onError: () => undefined,
  });
  const company = companies.get('c');
  const waiting = [companies.refresh(company), companies.refresh(company)];
  expect(waiting.map((one) => one instanceof Promise)).toEqual([true, true]);
  answer([{ perMinute: 5 }]);
  for (const one of waiting) await one;
  expect([company.perMinute, companies.refresh(company)]).toEqual([5, undefined]);
});

/** A limit in the database, and a feed that says what the test wants. */
const openLimits = () => {
  const database = { perMinute: 5, isAway: false, reads: 0 };
  const feed = { isCurrent: true, miss: (): void => undefined };
  const companies = createCompanyLimits({
    sql: (async () => {
      database.reads += 1;
      if (database.isAway) throw new Error('away');
      return [{ perMinute: database.perMinute }];
    }) as never,
    changes: {
      subscribe: (_topic, _changed, missed) => void (feed.miss = missed ?? feed.miss),
      isCurrent: () => feed.isCurrent,
    },
    defaultPerMinute: 1_000,
    onError: () => undefined,
  });
  return { database, feed, companies, company: companies.get('c') };
};

it('reads a limit again after changes were missed, and while the feed cannot prove that it hears them', async () => {
  const { database, feed, companies, company } = openLimits();
  await companies.refresh(company);
  companies.forgetUnlessCurrent();
  await companies.refresh(company);
  expect(database.reads).toBe(1);
  database.perMinute = 6;
  feed.miss();
  void companies.refresh(company);
  await expect.poll(() => company.perMinute).toBe(6);
  database.perMinute = 7;
  feed.isCurrent = false;
  companies.forgetUnlessCurrent();
  void companies.refresh(company);
  await expect.poll(() => company.perMinute).toBe(7);
});

it('keeps the last known limit, and asks a database that is away once a second only', async () => {
  const { database, feed, companies, company } = openLimits();
  await companies.refresh(company);
  database.isAway = true;
  feed.miss();
  void companies.refresh(company);
  await expect.poll(() => company.reading).toBeUndefined();
  for (let request = 0; request < 10; request += 1) expect(companies.refresh(company)).toBeUndefined();
  expect([company.perMinute, database.reads]).toEqual([5, 2]);
});
