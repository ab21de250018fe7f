import { coreProblems, type ProblemError } from '@impact-hub/core';
import type { PartnerApi } from '../partner-api.ts';
import { readBaseUrl } from './base-url.ts';
import { credentialNames, credentialsOf, type Credentials } from './credentials.ts';

/** One wrong field of a body. */
export const wrongField = (field: string, detail: string): ProblemError =>
  coreProblems.requestInvalid({
    detail: `The field ${field} cannot be used.`,
    errors: [{ pointer: `/body/${field}`, detail }],
  });

/** @throws ProblemError `request.invalid` */
export const checkedBaseUrl = (text: string, allowPrivate: boolean): string => {
  const read = readBaseUrl(text, allowPrivate);
  if ('fault' in read) throw wrongField('baseUrl', read.fault);
  return read.url;
};

/** @throws ProblemError `request.invalid` */
export const checkedCredentials = (api: PartnerApi, given: unknown): Credentials => {
  const credentials = credentialsOf(api, given);
  if (credentials === undefined)
    throw wrongField('credentials', `This API needs exactly ${credentialNames(api).join(' and ')}.`);
  return credentials;
};

/** @throws ProblemError `request.invalid` when the API's addresses carry a tenant and there is none, or the other way round */
export const checkTenant = (api: PartnerApi, tenant: string | null): void => {
  const needsOne = api.path.includes('{tenant}');
  if (needsOne && tenant === null) throw wrongField('tenant', 'This API needs the tenant.');
  if (!needsOne && tenant !== null) throw wrongField('tenant', 'This API knows no tenants; leave it out.');
};
