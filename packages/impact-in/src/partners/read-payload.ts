import type { z } from 'zod';
import type { EventRead, PartnerEvent } from './partner.ts';

const maxIssues = 20;

/** Applies a partner's schema, then its reading of a payload that fits. */
export const readPayload = <T extends z.ZodType>(
  schema: T,
  payload: unknown,
  read: (event: z.output<T>) => PartnerEvent,
): EventRead => {
  const parsed = schema.safeParse(payload);
  if (parsed.success) return { matches: true, event: read(parsed.data) };
  const issues = parsed.error.issues
    .slice(0, maxIssues)
    .map((issue) => ({ path: `/${issue.path.map(String).join('/')}`, message: issue.message }));
  return { matches: false, issues };
};

/** A top-level text field of anything that was parsed from JSON. */
export const textField = (payload: unknown, name: string): string | null => {
  if (typeof payload !== 'object' || payload === null || !Object.hasOwn(payload, name)) return null;
  const value = (payload as Record<string, unknown>)[name];
  return typeof value === 'string' && value !== '' ? value : null;
};
