export type BrowserHeaders = Readonly<Record<string, string | string[] | undefined>>;

export type RequestOrigin = 'same' | 'other' | 'unknown';

/**
 * Where a browser says a request comes from: `Sec-Fetch-Site` (W3C Fetch Metadata; pages cannot forge it), else
 * `Origin`. Unknown when it sends neither, which no current browser does for a change.
 */
export const originOfRequest = (headers: BrowserHeaders, publicUrl: string): RequestOrigin => {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' ? 'same' : 'other';
  const origin = headers['origin'];
  if (origin === undefined) return 'unknown';
  return origin === new URL(publicUrl).origin ? 'same' : 'other';
};
