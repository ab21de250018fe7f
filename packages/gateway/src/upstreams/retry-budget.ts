/** Retries may add this share to an upstream's load, however bad things are. */
const shareOfRequests = 0.1;
/** What a quiet upstream may have in hand. */
const mostTokens = 10;
const firstDelayMs = 50;

export type RetryBudget = { onRequest(): void; take(): boolean };

/** Bounds retries by what was asked for, so that they cannot multiply the load of a service that is already failing. */
export const createRetryBudget = (): RetryBudget => {
  let tokens = mostTokens;
  return {
    onRequest: () => {
      tokens = Math.min(mostTokens, tokens + shareOfRequests);
    },
    take: () => {
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
};

/** Spread over the whole time, doubling with every attempt ("full jitter"), in ms. */
export const retryDelayMs = (attempt: number, random: () => number): number => random() * firstDelayMs * 2 ** attempt;
