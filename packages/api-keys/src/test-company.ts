import { newId, systemClock, type Database, type Sql } from '@impact-hub/core';
import { createApiKey, type KeyMaker } from './create-api-key.ts';
import { createBody, type CreateApiKeyInput } from './schema.ts';

/** Arrangement shared by this package's tests. */
export const testCatalogue = { admin: 'Administer.', 'data:read': 'Read.', 'deliveries:read': 'See deliveries.' };

export const hubItself: KeyMaker = { actor: { kind: 'system', id: 'test' }, scopes: null };

export const insertCompany = async (owner: Sql): Promise<string> => {
  const id = newId();
  await owner`insert into company (id, name) values (${id}, 'Test company')`;
  return id;
};

export const makeKey = (db: Database, companyId: string, overrides: Partial<CreateApiKeyInput> = {}) =>
  db.company(companyId, (tx) =>
    createApiKey(tx, { clock: systemClock, scopeCatalogue: testCatalogue }, hubItself, {
      ...createBody.parse({ name: 'Test key', environment: 'live', scopes: ['data:read'] }),
      ...overrides,
    }),
  );
