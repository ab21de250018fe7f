import type { z } from 'zod';
import { requestInvalid } from '../problem/core-problems.ts';
import type { FieldError } from '../problem/define-problem.ts';
import type { RouteInput } from '../module/define-route.ts';

type Raw = { params: unknown; query: unknown; body: unknown };

const escapePointer = (part: PropertyKey): string => String(part).replaceAll('~', '~0').replaceAll('/', '~1');

const pointerOf = (place: keyof Raw, path: readonly PropertyKey[]): string =>
  ['', place, ...path.map(escapePointer)].join('/');

const fieldErrors = (place: keyof Raw, error: z.ZodError): FieldError[] =>
  error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({
          pointer: pointerOf(place, [...issue.path, key]),
          detail: 'This field is not known.',
        }))
      : [{ pointer: pointerOf(place, issue.path), detail: issue.message }],
  );

/**
 * Parses the three places of a request by the route's schemas.
 * @throws ProblemError `request.invalid` listing every offending field of all three places
 */
export const validateInput = (input: RouteInput, raw: Raw): Raw => {
  const parsed: Raw = { params: undefined, query: undefined, body: undefined };
  const errors: FieldError[] = [];
  for (const place of ['params', 'query', 'body'] as const) {
    const schema = input[place];
    if (schema === undefined) continue;
    const result = schema.safeParse(raw[place]);
    if (result.success) parsed[place] = result.data;
    else errors.push(...fieldErrors(place, result.error));
  }
  if (errors.length > 0) throw requestInvalid({ detail: `${errors[0]?.pointer}: ${errors[0]?.detail}`, errors });
  return parsed;
};
