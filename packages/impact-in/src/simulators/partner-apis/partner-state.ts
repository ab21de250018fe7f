import { randomBytes } from 'node:crypto';

/** One effect at the partner: what a customer would see twice if it were there twice. */
export type PartnerRecord = {
  api: string;
  /** The partner's own id. */
  id: string;
  idempotencyKey: string;
  transactionId: string;
  status: 'success' | 'pending' | 'failed';
  fields: Record<string, unknown>;
};

export type Commit = { record: PartnerRecord; duplicate: boolean };

export type PartnerState = {
  /** Keeps an event, once for each idempotency key, or without one for each call. */
  commit(api: string, idempotencyKey: string | undefined, fields: Record<string, unknown>): Commit;
  records(): PartnerRecord[];
  find(transactionId: string): PartnerRecord | undefined;
  issueToken(client: string, lifetimeSeconds: number): { accessToken: string; refreshToken: string };
  /** Whether the token was issued and has not expired or been revoked. */
  acceptsToken(accessToken: string): boolean;
  acceptsRefresh(refreshToken: string): boolean;
  revokeTokens(): void;
  tokensIssued(): number;
};

const newToken = (): string => randomBytes(24).toString('base64url');

/** What a stand-in remembers, for as long as it runs. */
export const createPartnerState = (nowMs: () => number): PartnerState => {
  const records: PartnerRecord[] = [];
  const byKey = new Map<string, PartnerRecord>();
  const tokens = new Map<string, number>();
  const refreshTokens = new Set<string>();
  let issued = 0;
  return {
    commit: (api, idempotencyKey, fields) => {
      const known = idempotencyKey === undefined ? undefined : byKey.get(`${api} ${idempotencyKey}`);
      if (known !== undefined) return { record: known, duplicate: true };
      const transactionId = String(fields['transaction_id'] ?? fields['transactionId'] ?? '');
      const id = `ptx_${randomBytes(8).toString('hex')}`;
      const record: PartnerRecord = {
        api,
        id,
        idempotencyKey: idempotencyKey ?? id,
        transactionId,
        status: 'success',
        fields,
      };
      records.push(record);
      byKey.set(`${api} ${record.idempotencyKey}`, record);
      return { record, duplicate: false };
    },
    records: () => [...records],
    find: (transactionId) =>
      records.find((record) => record.transactionId === transactionId || record.id === transactionId),
    issueToken: (_client, lifetimeSeconds) => {
      const [accessToken, refreshToken] = [newToken(), newToken()];
      tokens.set(accessToken, nowMs() + lifetimeSeconds * 1_000);
      refreshTokens.add(refreshToken);
      issued += 1;
      return { accessToken, refreshToken };
    },
    acceptsToken: (accessToken) => (tokens.get(accessToken) ?? 0) > nowMs(),
    acceptsRefresh: (refreshToken) => refreshTokens.delete(refreshToken),
    revokeTokens: () => tokens.clear(),
    tokensIssued: () => issued,
  };
};
