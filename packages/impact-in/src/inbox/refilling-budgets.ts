export type RefillingBudgets = {
  /** What the owner may spend now. */
  left(owner: string): number;
  spend(owner: string, amount: number): void;
};

/**
 * One budget per owner that refills steadily up to its capacity. The owners that spent longest ago are forgotten when
 * there are too many, and then start with a full one.
 */
export const createBudgets = (options: {
  capacity: number;
  refillPerMs: number;
  maxOwners: number;
  nowMs(): number;
}): RefillingBudgets => {
  const budgets = new Map<string, { left: number; atMs: number }>();
  const left = (owner: string): number => {
    const budget = budgets.get(owner);
    if (budget === undefined) return options.capacity;
    return Math.min(options.capacity, budget.left + (options.nowMs() - budget.atMs) * options.refillPerMs);
  };
  return {
    left,
    spend: (owner, amount) => {
      const after = left(owner) - amount;
      // Re-inserted, so that the map's order is that of the last use and the first entry the one to forget.
      budgets.delete(owner);
      budgets.set(owner, { left: after, atMs: options.nowMs() });
      if (budgets.size > options.maxOwners) budgets.delete(budgets.keys().next().value ?? '');
    },
  };
};
