import { createApiKey } from '@impact-hub/api-keys';
import { systemClock, type Database } from '@impact-hub/core';

const maker = { actor: { kind: 'system', id: 'bench' }, scopes: null } as const;
const scopeCatalogue = { 'data:read': 'Read.', 'data:write': 'Write.' };
const keysPerTransaction = 500;

/** Makes keys as the API does, audit events included, many to a transaction. */
export const createApiKeys = async (
  db: Database,
  companyId: string,
  count: number,
  scope: keyof typeof scopeCatalogue,
): Promise<string[]> => {
  const keys: string[] = [];
  while (keys.length < count)
    await db.company(companyId, async (tx) => {
      for (let made = 0; made < keysPerTransaction && keys.length < count; made += 1) {
        const { key } = await createApiKey(tx, { clock: systemClock, scopeCatalogue }, maker, {
          name: 'bench',
          environment: 'live',
          scopes: [scope],
          rateLimitPerMinute: 1_000_000,
          allowedIps: [],
          metadata: {},
        });
        keys.push(key);
      }
    });
  return keys;
};
