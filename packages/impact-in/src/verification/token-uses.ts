import { createHash } from 'node:crypto';
import type { Sql } from '@impact-hub/core';

export type TokenUse = {
  companyId: string;
  endpointId: string;
  tokenId: string;
  body: Buffer;
  expiresAtMs: number;
};

export type TokenUses = {
  /**
   * Whether the token may vouch for this body: it does so for the first one, in whichever process, and for the same
   * bytes again, as when a request is repeated. Rejects when the database does not answer in time.
   */
  claim(use: TokenUse, nowMs: number): Promise<boolean>;
};

/** About 250 bytes each; a token that has been forgotten here is still known to the database. */
const maxRemembered = 20_000;
const timeoutMs = 2_000;
/** Tokens are accepted for a while after their end, and clocks differ. */
const keptAfterEndMs = 300_000;

const sha256 = (bytes: string | Buffer): Buffer => createHash('sha256').update(bytes).digest();

const inTime = async <T>(work: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the uses of tokens could not be read in time')), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};

/** @param sql a pool of the system role */
export const createTokenUses = (sql: Sql): TokenUses => {
  /** Base64 of the body's digest, by endpoint and token. */
  const remembered = new Map<string, { body: string; untilMs: number }>();

  /** The digest that came first. A second look sees what the first one waited for. */
  const firstBody = async (use: TokenUse, key: Buffer, body: Buffer, looks = 2): Promise<Buffer> => {
    const [row] = await sql<{ sha: Buffer }[]>`
      with added as (
        insert into impact_in_token_use (endpoint_id, token_key, company_id, body_sha256, expires_at)
        values (${use.endpointId}, ${key}, ${use.companyId}, ${body}, ${new Date(use.expiresAtMs + keptAfterEndMs)})
        on conflict do nothing returning body_sha256 as sha)
      select sha from added
      union all
      select body_sha256 from impact_in_token_use where endpoint_id = ${use.endpointId} and token_key = ${key}
      limit 1`;
    if (row !== undefined) return row.sha;
    if (looks > 1) return firstBody(use, key, body, looks - 1);
    throw new Error('the use of a token was forgotten meanwhile');
  };

  return {
    claim: async (use, nowMs) => {
      const key = sha256(use.tokenId);
      const body = sha256(use.body);
      const name = `${use.endpointId} ${key.toString('base64')}`;
      const known = remembered.get(name);
      if (known !== undefined && known.untilMs > nowMs) return known.body === body.toString('base64');
      const first = await inTime(firstBody(use, key, body));
      remembered.delete(name);
      remembered.set(name, { body: first.toString('base64'), untilMs: use.expiresAtMs + keptAfterEndMs });
      if (remembered.size > maxRemembered) remembered.delete(remembered.keys().next().value ?? '');
      return first.equals(body);
    },
  };
};

const forgottenAtOnce = 10_000;

/**
 * Forgets tokens that nobody can use any more, in steps that end soon however many there are; one that is asked for
 * again would be refused as expired.
 */
export const forgetTokenUses = async (sql: Sql, signal?: AbortSignal, atOnce = forgottenAtOnce): Promise<void> => {
  let isMore = true;
  while (isMore && signal?.aborted !== true) {
    const { count } = await sql`
      delete from impact_in_token_use where ctid = any(array(
        select ctid from impact_in_token_use where expires_at < now() order by expires_at limit ${atOnce}))`;
    isMore = count === atOnce;
  }
};
