import type { Change } from './write-changes.ts';

/** Longer than any topic or key of the hub. */
const maxMessageLength = 500;

/** A change as a message carries it. @returns undefined for a message that is none: anybody may send on the channel */
export const parseChange = (message: string): Change | undefined => {
  if (message.length > maxMessageLength) return undefined;
  try {
    const [topic, key] = JSON.parse(message) as unknown[];
    return typeof topic === 'string' && typeof key === 'string' ? { topic, key } : undefined;
  } catch {
    return undefined;
  }
};
