const unixSeconds = /^\d{1,12}$/;
const unixMilliseconds = /^\d{1,15}$/;
/** RFC 3339 with capital T and Z; no leap second, as no clock we compare with shows one. */
const rfc3339 =
  /^(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

const parseRfc3339 = (text: string): number | null => {
  const date = rfc3339.exec(text)?.[1];
  if (date === undefined) return null;
  // Date.parse turns 30 February into 2 March; only a date that survives the round trip exists.
  const midnightMs = Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(midnightMs) || new Date(midnightMs).toISOString().slice(0, 10) !== date) return null;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
};

/** Milliseconds since 1970 of a header's timestamp, strictly in the given format; null when it is anything else. */
export const parseTimestamp = (text: string, format: 'unix_s' | 'unix_ms' | 'iso8601'): number | null => {
  if (format === 'iso8601') return parseRfc3339(text);
  if (format === 'unix_s') return unixSeconds.test(text) ? Number(text) * 1_000 : null;
  return unixMilliseconds.test(text) ? Number(text) : null;
};
