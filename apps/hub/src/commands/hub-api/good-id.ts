import { UsageError } from './command-errors.ts';

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** @param of what it should be the id of, such as `delivery`. @throws UsageError when it is no id */
export const goodId = (id: string, of: string): string => {
  if (!uuid.test(id))
    throw new UsageError(`${JSON.stringify(id.slice(0, 60))} is no id of ${/^[aeiou]/.test(of) ? 'an' : 'a'} ${of}.`);
  return id.toLowerCase();
};
