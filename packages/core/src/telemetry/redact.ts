const censored = '[redacted]';

/** Lower case, without separators: `X-API-Key`, `apiKey` and `api_key` are one name. */
const secretNames: ReadonlySet<string> = new Set([
  'authorization',
  'proxyauthorization',
  'cookie',
  'setcookie',
  'xapikey',
  'apikey',
  'key',
  'secret',
  'clientsecret',
  'password',
  'token',
  'accesstoken',
  'refreshtoken',
  'idtoken',
]);

const isSecretName = (name: string): boolean => secretNames.has(name.toLowerCase().replaceAll(/[-_]/g, ''));

const known = new Map<string, boolean>();
const maxKnownNames = 1_000;

/** The names of log fields repeat for ever; deciding about one once is a third of the cost of a request's line. */
const isSecret = (name: string): boolean => {
  const decided = known.get(name);
  if (decided !== undefined) return decided;
  const decision = isSecretName(name);
  if (known.size < maxKnownNames) known.set(name, decision);
  return decision;
};

const maxDepth = 4;

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/**
 * The fields with every value replaced whose name is that of a secret, down to four levels; what lies deeper is left
 * out. Unchanged objects are returned as they are. Errors and other class instances are the serialisers' business.
 */
export const redactFields = (fields: Record<string, unknown>, depth = 1): Record<string, unknown> => {
  let changed: Record<string, unknown> | undefined;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    let kept = value;
    if (isSecret(name)) kept = censored;
    else if (isPlain(value)) kept = depth < maxDepth ? redactFields(value, depth + 1) : '[too deep]';
    else if (Array.isArray(value)) kept = redactItems(value, depth);
    if (kept !== value) (changed ??= { ...fields })[name] = kept;
  }
  return changed ?? fields;
};

const redactItems = (items: readonly unknown[], depth: number): readonly unknown[] => {
  if (!items.some((item) => typeof item === 'object')) return items;
  if (depth >= maxDepth) return ['[too deep]'];
  return items.map((item) => (isPlain(item) ? redactFields(item, depth + 1) : item));
};

/**
 * An API key anywhere in a text, also one without its end: the checksum can be calculated, and what is missing of the
 * secret may stand elsewhere. The public id alone is none.
 */
const apiKey = /teei_(live|test)_([0-9A-Za-z]{12})[0-9A-Za-z]{16,}/;

/** An API key, a connection URL's password, a webhook secret, passwords and tokens the hub made. None takes longer than in proportion to the text. */
const secretPatterns: readonly [RegExp, string][] = [
  [new RegExp(apiKey, 'g'), 'teei_$1_$2…'],
  [/(:\/\/[^:/\s]*):[^@/\s]+@/g, '$1:…@'],
  [/whsec_[0-9A-Za-z+/=_-]{16,}/g, 'whsec_…'],
  [/hub(cs|pw|ut|ht)_[0-9A-Za-z_-]{16,}/g, 'hub$1_…'],
];

/** Replaces what looks like a secret inside free text. */
export const redactText = (text: string): string =>
  secretPatterns.reduce((redacted, [pattern, replacement]) => redacted.replace(pattern, replacement), text);

/** Whether a text holds an API key, so that it must not be kept. */
export const holdsApiKey = (text: string): boolean => apiKey.test(text);
