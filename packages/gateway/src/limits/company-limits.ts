import type { ChangeFeed, Sql } from '@impact-hub/core';
import { createSlidingWindow, type SlidingWindow } from './sliding-window.ts';

export const companyLimitTopic = 'company-rate-limit';
const readAgainAfterMs = 1_000;

/** A company as the limiter of one process sees it. */
export type LimitedCompany = {
  readonly id: string;
  perMinute: number;
  /** Whether the limit has ever been read; until then requests wait for it. */
  isKnown: boolean;
  /** False after a change, until the limit has been read again. */
  isCurrent: boolean;
  /** After a failed read (monotonic). */
  readAgainAtMs: number;
  /** What the company may still send, as last heard, less what this process admitted since. */
  remaining: number;
  freeSecond: number;
  /** Until then (monotonic) nothing can come free, so nobody asks. */
  refusedUntilMs: number;
  freeAtMs: number;
  readonly admitted: SlidingWindow;
  reading: Promise<void> | undefined;
};

type Options = {
  sql: Sql;
  changes: Pick<ChangeFeed, 'subscribe' | 'isCurrent'>;
  defaultPerMinute: number;
  onError(error: unknown): void;
};

/** The company's own limit per minute; undefined when it has none. */
export const selectCompanyLimit = async (sql: Sql, companyId: string): Promise<number | undefined> => {
  const [row] = await sql<{ perMinute: number }[]>`
    select requests_per_minute as "perMinute" from company_rate_limit where company_id = ${companyId}`;
  return row?.perMinute;
};

/** The limits of the companies that called this process, kept by the change feed. One entry per company. */
export const createCompanyLimits = ({ sql, changes, defaultPerMinute, onError }: Options) => {
  const companies = new Map<string, LimitedCompany>();
  const forget = (company: LimitedCompany): void => {
    company.isCurrent = false;
  };
  const forgetAll = (): void => companies.forEach(forget);
  changes.subscribe(
    companyLimitTopic,
    (id) => {
      const company = companies.get(id);
      if (company !== undefined) forget(company);
    },
    forgetAll,
  );

  const read = async (company: LimitedCompany): Promise<void> => {
    // Set before reading: a change that arrives meanwhile makes the next caller read again.
    company.isCurrent = true;
    try {
      company.perMinute = (await selectCompanyLimit(sql, company.id)) ?? defaultPerMinute;
      company.isKnown = true;
      company.refusedUntilMs = 0;
    } catch (error) {
      company.isCurrent = false;
      company.readAgainAtMs = performance.now() + readAgainAfterMs;
      onError(error);
    } finally {
      company.reading = undefined;
    }
  };

  return {
    get: (id: string): LimitedCompany => {
      let company = companies.get(id);
      if (company === undefined) {
        company = {
          id,
          perMinute: defaultPerMinute,
          isKnown: false,
          isCurrent: false,
          readAgainAtMs: 0,
          remaining: defaultPerMinute,
          freeSecond: 0,
          refusedUntilMs: 0,
          freeAtMs: 0,
          admitted: createSlidingWindow(),
          reading: undefined,
        };
        companies.set(id, company);
      }
      return company;
    },
    /**
     * Reads the limit again when it may have changed; a promise only for a limit that was never read. Never rejects:
     * without the database the last known limit stands, or the default.
     */
    refresh: (company: LimitedCompany): Promise<void> | undefined => {
      // Set to current while it is read: others of the company have to wait as well.
      if (!company.isKnown && company.reading !== undefined) return company.reading;
      if (company.isCurrent || performance.now() < company.readAgainAtMs) return undefined;
      company.reading ??= read(company);
      return company.isKnown ? undefined : company.reading;
    },
    /** For a feed that cannot prove that it hears changes. */
    forgetUnlessCurrent: (): void => {
      if (!changes.isCurrent()) forgetAll();
    },
  };
};

export type CompanyLimits = ReturnType<typeof createCompanyLimits>;
