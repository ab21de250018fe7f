import { z } from 'zod';

/** A text that is stored and searched: no control character (Postgres refuses NUL) and no lone surrogate. */
export const identifier = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}]{1,200}$/u, 'must be 1 to 200 characters without control characters');

const earliest = Date.UTC(2000, 0, 1);
const latest = Date.UTC(2100, 0, 1);

/** ISO 8601 date and time with an offset or Z. The range keeps out years that a database cannot store. */
export const occurredAt = z.iso
  .datetime({ offset: true, error: 'must be an ISO 8601 date and time with an offset or Z' })
  .transform((text) => new Date(text))
  .refine((at) => at.getTime() >= earliest && at.getTime() < latest, 'must lie between the years 2000 and 2100');

export const freeText = z.string().max(10_000);
