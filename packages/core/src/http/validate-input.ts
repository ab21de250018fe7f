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

/** A place of which the route knows nothing: sending something there is a mistake that should not go unnoticed. */
const unknownFields = (place: 'query' | 'body', value: unknown): FieldError[] => {
  if (value === undefined || value === null) return [];
  if (typeof value !== 'object' || Array.isArray(value))
    return [{ pointer: `/${place}`, detail: 'This address takes no body.' }];
  return Object.keys(value).map((key) => ({ pointer: pointerOf(place, [key]), detail: 'This field is not known.' }));
};

/**
 * Parses the three places of a request by the route's schemas.
 * @param refusesUnknown also when the route has no schema for a place
 * @throws ProblemError `request.invalid` listing every offending field of all three places
 */
export const validateInput = (input: RouteInput, raw: Raw, refusesUnknown = true): Raw => {
  const parsed: Raw = { params: undefined, query: undefined, body: undefined };
  const errors: FieldError[] = [];
  for (const place of ['params', 'query', 'body'] as const) {
    const schema = input[place];
    if (schema === undefined) {
      if (refusesUnknown && place !== 'params') errors.push(...unknownFields(place, raw[place]));
      continue;
    }
    const result = schema.safeParse(raw[place]);
    if (result.success) parsed[place] = result.data;
    else errors.push(...fieldErrors(place, result.error));
  }
  if (errors.length > 0) throw requestInvalid({ detail: `${errors[0]?.pointer}: ${errors[0]?.detail}`, errors });
  return parsed;
};
