export type ProblemDefinition = {
  /** Stable, `domain.reason`; what programs branch on. */
  code: string;
  status: number;
  title: string;
  /** One sentence for docs/errors.md: what the caller should do next. */
  remedy: string;
  /** A 5xx that the caller asked for: logged and counted as no failure of ours. */
  isExpected?: true;
};

/** One offending field: an RFC 6901 pointer into `{body, query, params, headers}` and what is wrong with it. */
export type FieldError = { pointer: string; detail: string };

export type ProblemOptions = {
  /** Public: says what happened in this case. */
  detail?: string;
  errors?: readonly FieldError[];
  /** Further members of the body that this problem defines (RFC 9457, section 3.2). */
  members?: Readonly<Record<string, unknown>>;
  headers?: Record<string, string>;
  /** Private: logged, never sent. */
  cause?: unknown;
  context?: Record<string, unknown>;
};

/** An error meant for the caller, rendered as RFC 9457 `application/problem+json`. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly definition: ProblemDefinition;
  readonly options: ProblemOptions;
  constructor(definition: ProblemDefinition, options: ProblemOptions) {
    super(`${definition.code}: ${options.detail ?? definition.title}`, { cause: options.cause });
    this.definition = definition;
    this.options = options;
  }
}

export type ProblemFactory = ((options?: ProblemOptions) => ProblemError) & { definition: ProblemDefinition };

const registry = new Map<string, ProblemDefinition>();

/**
 * Declares a problem once and returns the function that makes it: `throw keyNotFound({detail})`.
 * @throws Error when the code is already taken
 */
export const defineProblem = (definition: ProblemDefinition): ProblemFactory => {
  if (registry.has(definition.code)) throw new Error(`problem code ${definition.code} is defined twice`);
  registry.set(definition.code, definition);
  return Object.assign((options: ProblemOptions = {}) => new ProblemError(definition, options), { definition });
};

/** All problems of the modules imported so far, by code. */
export const listProblems = (): ProblemDefinition[] =>
  [...registry.values()].sort((a, b) => (a.code < b.code ? -1 : 1));
