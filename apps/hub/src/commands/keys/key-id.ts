import { UsageError } from '../hub-api/command-errors.ts';

/** The path of a key by its public id. @throws UsageError, which never repeats what was given: it may be a key */
export const pathOfKey = (keyId: string, action = ''): string => {
  if (keyId.startsWith('teei_')) throw new UsageError('Give the 12-character key id, never the key itself.');
  if (!/^[0-9A-Za-z]{12}$/.test(keyId))
    throw new UsageError('Give the 12-character key id; `hub keys list` shows those of your keys.');
  return `/admin/api-keys/${keyId}${action}`;
};
