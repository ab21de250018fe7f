import { coreProblems } from '@impact-hub/core';

export const idempotencyHeader = 'idempotency-key';

/** One problem for everything that is wrong with the header. */
export const headerInvalid = (detail: string) =>
  coreProblems.requestInvalid({
    detail: `Idempotency-Key: ${detail}`,
    errors: [{ pointer: `/headers/${idempotencyHeader}`, detail }],
  });

/** `!` to `~` of ASCII; a header sent twice arrives joined by a comma and a space, which is none of them. */
const visible = /^[!-~]{1,255}$/;
/** A string of RFC 9651 §3.3.3: quotes and backslashes inside are escaped. */
const quoted = /^"((?:[^"\\]|\\["\\])*)"$/;

/**
 * The key of an `Idempotency-Key` header: a structured-field string as the IETF draft has it (`"…"`), or the bare
 * value that most clients send. Both forms of one key are the same key.
 *
 * @throws ProblemError `request.invalid` naming the header
 */
export const readIdempotencyKey = (header: string | readonly string[]): string => {
  if (typeof header !== 'string') throw headerInvalid('Must be sent once.');
  const string = quoted.exec(header)?.[1];
  if (string === undefined && header.startsWith('"')) throw headerInvalid('Is not a string in double quotes.');
  const key = string === undefined ? header : string.replaceAll(/\\(.)/g, '$1');
  if (!visible.test(key))
    throw headerInvalid('Must be one value of 1 to 255 visible ASCII characters, in double quotes or bare.');
  return key;
};
