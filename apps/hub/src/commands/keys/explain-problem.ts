import { z } from 'zod';

const problem = z.object({
  code: z.string().optional(),
  title: z.string(),
  detail: z.string().optional(),
  remedy: z.string().optional(),
  requestId: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
});
type Problem = z.output<typeof problem>;

/** What the hub answered to a request for `path`; `retryAfter` is the header of that name. */
export type Refusal = { status: number; body: unknown; url: string; path: string; retryAfter: string | null };

const keyIn = (path: string): string => /^\/admin\/api-keys\/([0-9A-Za-z]{12})\b/.exec(path)?.[1] ?? '<keyId>';

const runAgain = ({ retryAfter }: Refusal): string =>
  retryAfter !== null && /^\d+$/.test(retryAfter) ? `Run it again in ${retryAfter} seconds.` : 'Run it again later.';

/** What to do in the words of the commands, where the hub's own words are about requests. */
const remedies = new Map<string, (refusal: Refusal) => string>([
  ['request.invalid', () => 'Correct what is named and run it again.'],
  ['auth.unauthenticated', () => 'Give a valid key by --api-key-file or HUB_API_KEY.'],
  ['auth.forbidden', () => 'Call the hub with a key that holds them, by --api-key-file or HUB_API_KEY.'],
  ['auth.environment_not_allowed', () => 'Call the hub with a live key, by --api-key-file or HUB_API_KEY.'],
  ['api_keys.environment_not_allowed', () => 'Call the hub with a live key, by --api-key-file or HUB_API_KEY.'],
  [
    'api_keys.scope_not_held',
    () => 'Leave them out of --scope, or call the hub with a key that holds them, by --api-key-file or HUB_API_KEY.',
  ],
  [
    'api_keys.rotation_overlaps',
    ({ path }) =>
      `Run hub keys retire-old ${keyIn(path)} once nothing uses it any more, wait for its end, or add --force, which` +
      ' ends it at once.',
  ],
  [
    'api_keys.expired',
    ({ path }) =>
      `Give it a later end first: hub keys change ${keyIn(path)} --expires-in 90d. A new secret ends with its key.`,
  ],
  ['rate_limit.exceeded', runAgain],
  ['auth.too_many_wrong_keys', runAgain],
  ['service.database_unavailable', runAgain],
  ['service.overloaded', runAgain],
  ['service.too_slow', (refusal) => `See whether it was done: hub keys list. ${runAgain(refusal)}`],
  ['service.internal_error', () => ''],
]);

/** The option that a field of the request comes from. */
const options = new Map([
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
]);

/** `/body/allowedIps/1` as `--allow-ip (number 2)`; what no option stands for keeps its name. */
const placeOf = (pointer: string): string => {
  const [field = '', ...inner] = pointer.replace(/^\/(?:body|query|params)(?:\/|$)/, '').split('/');
  const named = options.get(field) ?? field;
  const within = inner.map((part) => (/^\d+$/.test(part) ? `(number ${Number(part) + 1})` : part));
  return [named, ...within].filter((part) => part !== '').join(' ');
};

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
// Whatever answers there must not be able to move the cursor or colour the terminal.
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ');

const firstLine = ({ code = '', title, detail = title, remedy, errors = [] }: Problem, refusal: Refusal): string => {
  // The detail of invalid input names fields of the request; the lines below tell the same by options.
  const what = code === 'request.invalid' && errors.length > 0 ? 'The hub does not take this' : detail;
  const nextStep = remedies.get(code)?.(refusal) ?? remedy ?? '';
  return [what, nextStep]
    .filter((text) => text !== '')
    .map(sentence)
    .join(' ');
};

/** What the hub said, for a person at the terminal: what is wrong, what to do, and which option it is about. */
export const explainProblem = (refusal: Refusal): string => {
  const { status, body, url } = refusal;
  const parsed = problem.safeParse(body);
  if (!parsed.success)
    return `What answers at ${url} is no hub (status ${status}). Give the address of the hub by --url.`;
  const { code, errors = [], requestId } = parsed.data;
  const lines = [firstLine(parsed.data, refusal)];
  // Its scopes stand in the first line.
  if (code !== 'api_keys.scope_not_held')
    for (const { pointer, detail } of errors)
      lines.push(`  ${[placeOf(pointer), detail].filter((part) => part !== '').join(': ')}`);
  if (status >= 500 && requestId !== undefined) lines.push(`Request ${requestId} in the log of the hub tells more.`);
  return lines.map(printable).join('\n');
};
