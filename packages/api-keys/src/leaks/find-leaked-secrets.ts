import type { Sql } from '@impact-hub/core';
import { digestApiKey, inspectApiKey } from '../key-format.ts';
import type { LeakReport } from './schema.ts';

export type LeakedSecret = { companyId: string; keyId: string; secretId: string; report: LeakReport };

/**
 * Which of the reported texts are secrets of keys, found by their hashes with one read. Only a whole key counts: who
 * presents one could use it, so acting on the report gives nobody more than they have.
 */
export const findLeakedSecrets = async (sql: Sql, reports: readonly LeakReport[]): Promise<LeakedSecret[]> => {
  const byDigest = new Map<string, LeakReport>();
  for (const report of reports)
    if (inspectApiKey(report.token) === 'well_formed') byDigest.set(digestApiKey(report.token), report);
  if (byDigest.size === 0) return [];
  const digests = [...byDigest.keys()];
  const rows = await sql<{ companyId: string; keyId: string; secretId: string; digest: string }[]>`
    select key.company_id as "companyId", key.key_id as "keyId", secret.id as "secretId",
           encode(secret.key_sha256, 'base64') as digest
    from api_key_secret as secret join api_key as key on key.id = secret.api_key_id
    where secret.key_sha256 = any(select decode(digest, 'base64') from unnest(${digests}::text[]) as digest)`;
  return rows.flatMap(({ digest, ...found }) => {
    const report = byDigest.get(digest);
    return report === undefined ? [] : [{ ...found, report }];
  });
};
