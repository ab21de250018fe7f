import type { ChaosCompany } from './chaos-companies.ts';
import type { EmbeddedHub } from './chaos-installation.ts';

/** All rows of a list of a company, page by page. @throws Error when the hub refuses */
export const readAll = async <T>(
  { baseUrl }: Pick<EmbeddedHub, 'baseUrl'>,
  { apiKey }: ChaosCompany,
  path: string,
): Promise<T[]> => {
  const rows: T[] = [];
  let cursor = '';
  for (;;) {
    const address = `${baseUrl}${path}${path.includes('?') ? '&' : '?'}limit=200${cursor}`;
    const response = await fetch(address, { headers: { 'x-api-key': apiKey } });
    if (!response.ok) throw new Error(`GET ${address}: ${response.status} ${await response.text()}`);
    const page = (await response.json()) as { data: T[]; nextCursor: string | null };
    rows.push(...page.data);
    if (page.nextCursor === null) return rows;
    cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
};

export const groupBy = <T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
};
