import { coreProblems } from '@impact-hub/core';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const bearer = /^Bearer +(.*)$/i;

/**
 * The API key of a request, from `X-API-Key` or `Authorization: Bearer` (RFC 6750 §2.1). Other schemes are none of ours.
 * @throws ProblemError `request.invalid` when both carry a key and the two differ
 */
export const readPresentedKey = (headers: Headers): string | undefined => {
  const header = headers['x-api-key'] as string | undefined;
  const authorization = headers['authorization'] as string | undefined;
  if (authorization === undefined) return header;
  const token = bearer.exec(authorization)?.[1]?.trim();
  if (token === undefined) return header;
  if (header !== undefined && header !== token)
    throw coreProblems.requestInvalid({
      detail: 'X-API-Key and Authorization carry two different keys; send one.',
      errors: [{ pointer: '/headers/x-api-key', detail: 'Differs from the key in Authorization; send one of them.' }],
    });
  return token;
};
