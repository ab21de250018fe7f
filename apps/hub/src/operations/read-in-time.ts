import { readInTime } from '@impact-hub/core';

/** As long as readiness checks may take. */
const readingTimeoutMs = 2_000;

/** A figure, or null when its store does not give it before a readiness check would give up. */
export const orNull = <T>(reading: Promise<T>): Promise<T | null> => readInTime(reading, readingTimeoutMs);
