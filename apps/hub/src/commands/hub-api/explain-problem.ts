import { z } from 'zod';

const problemShape = z.object({
  code: z.string().optional(),
  title: z.string(),
  detail: z.string().optional(),
  remedy: z.string().optional(),
  requestId: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
});
type Problem = z.output<typeof problemShape>;

/** What the hub answered to a request for `path`; `retryAfter` is the header of that name. */
export type Refusal = { status: number; body: unknown; url: string; path: string; retryAfter: string | null };

const runAgain = ({ retryAfter }: Refusal): string =>
  retryAfter !== null && /^\d+$/.test(retryAfter) ? `Run it again in ${retryAfter} seconds.` : 'Run it again later.';

/** How one group of commands speaks of what the hub calls fields and addresses. */
export type Words = {
  /** `keys` of `hub keys …`. */
  group: string;
  /** What to do about a problem of the group's own, by its code. */
  remedies: ReadonlyMap<string, (refusal: Refusal) => string>;
  /** The option that a field of the request comes from. */
  options: ReadonlyMap<string, string>;
  /** Problems whose first line says all that their list of errors does. */
  saidAtOnce?: ReadonlySet<string>;
};

/** What to do about what every command can meet, where the hub's own words are about requests. */
const remedies = new Map<string, (refusal: Refusal, group: string) => string>([
  ['request.invalid', () => 'Correct what is named and run it again.'],
  ['auth.unauthenticated', () => 'Give a valid key by --api-key-file or HUB_API_KEY.'],
  ['auth.forbidden', () => 'Call the hub with a key that holds them, by --api-key-file or HUB_API_KEY.'],
  ['auth.environment_not_allowed', () => 'Call the hub with a live key, by --api-key-file or HUB_API_KEY.'],
  ['rate_limit.exceeded', runAgain],
  ['auth.too_many_wrong_keys', runAgain],
  ['service.database_unavailable', runAgain],
  ['service.overloaded', runAgain],
  ['service.too_slow', (refusal, group) => `See whether it was done: hub ${group} list. ${runAgain(refusal)}`],
  ['service.internal_error', () => ''],
]);

/** `/body/allowedIps/1` as `--allow-ip (number 2)`; what no option stands for keeps its name. */
const placeOf = (pointer: string, { options }: Words): string => {
  const [field = '', ...inner] = pointer.replace(/^\/(?:body|query|params)(?:\/|$)/, '').split('/');
  const named = options.get(field) ?? field;
  const within = inner.map((part) => (/^\d+$/.test(part) ? `(number ${Number(part) + 1})` : part));
  return [named, ...within].filter((part) => part !== '').join(' ');
};

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
// Whatever answers there must not be able to move the cursor or colour the terminal.
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ');

const firstLine = (problem: Problem, refusal: Refusal, words: Words): string => {
  const { code = '', title, detail = title, remedy, errors = [] } = problem;
  // The detail of invalid input names fields of the request; the lines below tell the same by options.
  const what = code === 'request.invalid' && errors.length > 0 ? 'The hub does not take this' : detail;
  const nextStep = words.remedies.get(code)?.(refusal) ?? remedies.get(code)?.(refusal, words.group) ?? remedy ?? '';
  return [what, nextStep]
    .filter((text) => text !== '')
    .map(sentence)
    .join(' ');
};

/** What the hub said, for a person at the terminal: what is wrong, what to do, and which option it is about. */
export const explainProblem = (refusal: Refusal, words: Words): string => {
  const { status, body, url } = refusal;
  const parsed = problemShape.safeParse(body);
  if (!parsed.success)
    return `What answers at ${url} is no hub (status ${status}). Give the address of the hub by --url.`;
  const { code, errors = [], requestId } = parsed.data;
  const lines = [firstLine(parsed.data, refusal, words)];
  if (code === undefined || words.saidAtOnce?.has(code) !== true)
    for (const { pointer, detail } of errors)
      lines.push(`  ${[placeOf(pointer, words), detail].filter((part) => part !== '').join(': ')}`);
  if (status >= 500 && requestId !== undefined) lines.push(`Request ${requestId} in the log of the hub tells more.`);
  return lines.map(printable).join('\n');
};
