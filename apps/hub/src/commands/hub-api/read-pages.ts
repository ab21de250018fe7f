import type { HubClient } from './hub-client.ts';

type Page<T> = { data: T[]; nextCursor: string | null };

const rowsPerPage = 100;

/**
 * The pages of a list in one, of the same form; beyond `limit` rows it is cut, with the cursor of what follows.
 *
 * @param query filters; what is undefined is left out
 */
export const readPages = async <T>(
  hub: HubClient,
  path: string,
  query: Readonly<Record<string, string | undefined>>,
  limit = Number.POSITIVE_INFINITY,
): Promise<Page<T>> => {
  const data: T[] = [];
  let cursor: string | null = null;
  do {
    const search = new URLSearchParams({ limit: String(Math.min(rowsPerPage, limit - data.length)) });
    for (const [name, value] of Object.entries({ ...query, cursor }))
      if (typeof value === 'string') search.set(name, value);
    const page: Page<T> = await hub.call('GET', `${path}?${search.toString()}`);
    data.push(...page.data);
    cursor = page.nextCursor;
  } while (cursor !== null && data.length < limit);
  return { data, nextCursor: cursor };
};
