/** One thing the demo did, and what the hub made of it. */
export type Played = { keptPromise: boolean; who: string; what: string; answers: string; became: string };

export const processingTimeoutMs = 15_000;
