import { redactText } from '@impact-hub/core';
import type { LeakReport } from './schema.ts';

/** Shorter pieces of a key say nothing, and would blot out ordinary words. */
const tellingLength = 16;
const removed = '[removed]';

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** The place of a find with the key taken out, however it is written there; withheld when that cannot be done. */
const withoutToken = (text: string, token: string): string => {
  const clean = redactText(text.replaceAll(token, removed));
  const pieces = Array.from({ length: Math.max(0, token.length - tellingLength + 1) }, (_, at) =>
    token.slice(at, at + tellingLength).toLowerCase(),
  );
  const lowered = decoded(clean).toLowerCase();
  // The public beginning may stay: it is how people recognise the key.
  const secretFrom = token.startsWith('teei_') ? 'teei_live_'.length + 1 : 0;
  return pieces.slice(secretFrom).some((piece) => lowered.includes(piece)) ? removed : clean;
};

/** What is kept of a report. The reported key itself never is. */
export const describeFind = ({ token, type, url, source }: LeakReport) => ({
  source: withoutToken(source ?? 'unknown', token) || 'unknown',
  url: url === null || url === undefined ? null : withoutToken(url, token),
  type: type === null || type === undefined ? null : withoutToken(type, token),
});
