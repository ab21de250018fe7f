import type { PartnerApi } from '../partner-api.ts';
import type { HttpAnswer } from './http-client.ts';

/** A partner may ask for a pause, not put a company's deliveries to sleep. */
const maxPauseMs = 3_600_000;

const clamp = (ms: number): number => Math.min(Math.max(Math.ceil(ms), 0), maxPauseMs);

/** Seconds, or a date (RFC 9110 §10.2.3). */
const retryAfterMs = (text: string, nowMs: number): number | null => {
  if (/^\d{1,9}$/.test(text)) return clamp(Number(text) * 1_000);
  const atMs = /^[A-Z][a-z]{2}, \d/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? null : clamp(atMs - nowMs);
};

/** Greater numbers are seconds of the Unix clock (this one was in 2001), smaller ones are seconds from now. */
const unixFrom = 1_000_000_000;

const resetMs = (text: string, nowMs: number): number | null => {
  if (!/^\d{1,10}(?:\.\d+)?$/.test(text)) return null;
  const seconds = Number(text);
  return clamp(seconds >= unixFrom ? seconds * 1_000 - nowMs : seconds * 1_000);
};

/** How many milliseconds the partner wants not to be called, by its answer; null when it does not say. */
export const readPauseMs = (
  { rateHeaders }: Pick<PartnerApi, 'rateHeaders'>,
  { status, headers }: Pick<HttpAnswer, 'status' | 'headers'>,
  nowMs: number,
): number | null => {
  const asked = status === 429 || status === 503 ? retryAfterMs(headers['retry-after'] ?? '', nowMs) : null;
  if (rateHeaders === undefined) return asked;
  const isUsedUp = status === 429 || headers[rateHeaders.remaining] === '0';
  const reset = isUsedUp ? resetMs(headers[rateHeaders.reset] ?? '', nowMs) : null;
  if (asked === null || reset === null) return asked ?? reset;
  return Math.max(asked, reset);
};
