import { createBudgets, type RefillingBudgets } from '../../inbox/refilling-budgets.ts';

/** Each ping is stored like a webhook, and recorded in the audit. */
const burst = 60;
const pingsPerMs = 1 / 2_000;
const maxCompanies = 10_000;

/** What companies may try of their endpoints, in this process. */
export const createPingBudgets = (nowMs = () => performance.now()): RefillingBudgets =>
  createBudgets({ capacity: burst, refillPerMs: pingsPerMs, maxOwners: maxCompanies, nowMs });
