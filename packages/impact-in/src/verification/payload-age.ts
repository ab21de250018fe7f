import { parseTimestamp } from './parse-timestamp.ts';
import type { HmacProfile } from './profile.ts';
import type { VerificationFailure } from './verification-failure.ts';

/** A day: as long as partners repeat a failed webhook, and far less than duplicates are remembered. */
const maxAgeMs = 86_400_000;

/** Leaves out a mark of byte order, as the reader of events does; text in another encoding is for the quarantine. */
const utf8 = new TextDecoder('utf-8');

const readField = (body: Buffer, name: string): unknown => {
  try {
    const payload = JSON.parse(utf8.decode(body)) as unknown;
    if (typeof payload !== 'object' || payload === null || !Object.hasOwn(payload, name)) return undefined;
    return (payload as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
};

/** Beyond it a number is milliseconds: as seconds it would lie after the year 5138. */
const leastMilliseconds = 100_000_000_000;

const digits = /^\d{1,15}$/;

const toMs = (value: unknown): number | null => {
  if (typeof value === 'string') return digits.test(value) ? toMs(Number(value)) : parseTimestamp(value, 'iso8601');
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return null;
  return value >= leastMilliseconds ? value : value * 1_000;
};

/**
 * What speaks against the age of a payload whose signature tells no time: all that keeps an old request from being sent
 * again once its duplicate has been forgotten. Null when it is at most a day old, and not from the future.
 */
export const payloadAgeFault = (profile: HmacProfile, body: Buffer, nowMs: number): VerificationFailure | null => {
  const atMs = toMs(readField(body, profile.payloadTimestampField ?? 'timestamp'));
  if (atMs === null) return 'missing_payload_timestamp';
  if (nowMs - atMs > maxAgeMs) return 'payload_too_old';
  return nowMs - atMs >= -profile.toleranceSeconds * 1_000 ? null : 'payload_in_future';
};
