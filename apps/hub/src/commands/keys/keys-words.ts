import type { Refusal, Words } from '../hub-api/explain-problem.ts';

const keyIn = ({ path }: Refusal): string => /^\/admin\/api-keys\/([0-9A-Za-z]{12})\b/.exec(path)?.[1] ?? '<keyId>';

/** How `hub keys …` speaks of what the hub answers. */
export const keysWords: Words = {
  group: 'keys',
  remedies: new Map<string, (refusal: Refusal) => string>([
    ['api_keys.environment_not_allowed', () => 'Call the hub with a live key, by --api-key-file or HUB_API_KEY.'],
    [
      'api_keys.scope_not_held',
      () => 'Leave them out of --scope, or call the hub with a key that holds them, by --api-key-file or HUB_API_KEY.',
    ],
    [
      'api_keys.rotation_overlaps',
      (refusal) =>
        `Run hub keys retire-old ${keyIn(refusal)} once nothing uses it any more, wait for its end, or add --force,` +
        ' which ends it at once.',
    ],
    [
      'api_keys.expired',
      (refusal) =>
        `Give it a later end first: hub keys change ${keyIn(refusal)} --expires-in 90d. A new secret ends with its key.`,
    ],
  ]),
  // Its scopes stand in the first line.
  saidAtOnce: new Set(['api_keys.scope_not_held']),
  options: new Map([
    ['name', '--name'],
    ['scopes', '--scope'],
    ['environment', '--environment'],
    ['status', '--status'],
    ['rateLimitPerMinute', '--rate-limit'],
    ['expiresAt', '--expires-in or --expires-at'],
    ['allowedIps', '--allow-ip'],
    ['metadata', '--metadata'],
    ['reason', '--reason'],
    ['overlapSeconds', '--overlap'],
    ['overlapFrom', '--overlap-from'],
    ['force', '--force'],
    ['from', '--last'],
    ['to', '--last'],
    ['interval', '--interval'],
  ]),
};
