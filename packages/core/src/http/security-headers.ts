/** One year, as preload lists ask for; subdomains are not ours to speak for. */
const hsts = 'max-age=31536000';

/**
 * Headers of every answer. Answers are kept by nobody unless a route says else; pages add a policy of their own.
 * @param https whether the public address is HTTPS: only then may browsers be told to insist on it
 */
export const securityHeaders = (https: boolean): Readonly<Record<string, string>> => ({
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
  ...(https ? { 'strict-transport-security': hsts } : {}),
});

/** Further headers of pages. They use none of the browser's devices and share no window with another origin. */
export const pageHeaders = {
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
} as const;
