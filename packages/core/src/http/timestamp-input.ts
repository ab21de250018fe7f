import { z } from 'zod';

/** Postgres knows no year 0, and beyond the year 9999 JavaScript writes six digits, which Postgres refuses. */
const [earliestYear, latestYear] = [1970, 2199];

/** A point in time as every route takes it: ISO 8601 with an offset, parsed to a `Date` that the database can hold. */
export const timestampInput = z.iso
  .datetime({ offset: true, error: 'Use an ISO 8601 time with a zone, such as 2026-01-31T23:00:00Z.' })
  .transform((text) => new Date(text))
  .refine(
    (at) => at.getUTCFullYear() >= earliestYear && at.getUTCFullYear() <= latestYear,
    `Use a time between the years ${earliestYear} and ${latestYear}.`,
  );
