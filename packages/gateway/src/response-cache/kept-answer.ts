import { z } from 'zod';

/** An answer as it is kept: what was sent, and when. */
export type KeptAnswer = {
  headers: Record<string, string | string[]>;
  body: string;
  etag: string;
  storedAtMs: number;
};

/** A kept answer in Redis, with the number of the last change its reader had been told of when it began. */
export const sharedAnswerSchema = z.strictObject({
  headers: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  body: z.string(),
  etag: z.string(),
  storedAtMs: z.number(),
  seq: z.number(),
});
export type SharedAnswer = z.output<typeof sharedAnswerSchema>;
