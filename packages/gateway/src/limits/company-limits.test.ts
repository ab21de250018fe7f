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
