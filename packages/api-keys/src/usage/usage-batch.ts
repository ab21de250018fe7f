import { networkOfIp, redactText } from '@impact-hub/core';

/** Stands for all networks beyond those that are kept apart. */
export const otherNetwork = 'other';

/** Calls counted of one address. */
export type AddressCount = { calls: number };

/** What one secret of a key did since it was last written. Held by whoever verifies, so that counting is assignments. */
export type Usage = {
  readonly apiKeyId: string;
  readonly companyId: string;
  readonly secretId: string;
  /** Whether it holds anything that has not been taken into a batch. */
  isDirty: boolean;
  calls: number;
  answers: number;
  clientErrors: number;
  serverErrors: number;
  rateLimited: number;
  lastUsedAtMs: number;
  lastUsedIp: string;
  /** As received. */
  lastUserAgent: string | undefined;
  /** The count of `lastUsedIp`. */
  address: AddressCount | undefined;
  addresses: Map<string, AddressCount>;
};

type Counts = { calls: number; answers: number; clientErrors: number; serverErrors: number; rateLimited: number };

type KeyUsage = Counts & {
  apiKeyId: string;
  companyId: string;
  lastUsedAtMs: number;
  lastUsedIp: string;
  lastUserAgent: string | null;
};

/** What all keys did in one interval, ready to be added once; `number` rises with every batch of a writer. */
export type Batch = {
  writerId: string;
  number: number;
  atMs: number;
  keys: KeyUsage[];
  secrets: { secretId: string; calls: number; lastUsedAtMs: number }[];
  networks: { apiKeyId: string; companyId: string; network: string; calls: number }[];
};

const longestUserAgent = 300;

/** What is kept of a header: no key, before it could be cut in two; no control character or half surrogate pair. */
const storableUserAgent = (userAgent: string | undefined): string | null =>
  userAgent === undefined
    ? null
    : redactText(userAgent)
        .slice(0, longestUserAgent)
        .replaceAll(/\p{Cc}/gu, ' ')
        .toWellFormed();

const addTo = (merged: KeyUsage, usage: Usage): void => {
  merged.calls += usage.calls;
  merged.clientErrors += usage.clientErrors;
  merged.serverErrors += usage.serverErrors;
  merged.rateLimited += usage.rateLimited;
  if (usage.lastUsedAtMs >= merged.lastUsedAtMs) {
    merged.lastUsedAtMs = usage.lastUsedAtMs;
    merged.lastUsedIp = usage.lastUsedIp;
    if (usage.answers > 0) merged.lastUserAgent = storableUserAgent(usage.lastUserAgent);
  }
  merged.answers += usage.answers;
};

const mergeByKey = (usages: readonly Usage[]): KeyUsage[] => {
  const byKey = new Map<string, KeyUsage>();
  for (const usage of usages) {
    const { apiKeyId, companyId } = usage;
    let merged = byKey.get(apiKeyId);
    if (merged === undefined) {
      const nothing = { calls: 0, answers: 0, clientErrors: 0, serverErrors: 0, rateLimited: 0, lastUsedAtMs: 0 };
      merged = { ...nothing, apiKeyId, companyId, lastUsedIp: '', lastUserAgent: null };
      byKey.set(apiKeyId, merged);
    }
    addTo(merged, usage);
  }
  return [...byKey.values()];
};

const mergeBySecret = (usages: readonly Usage[]): Batch['secrets'] => {
  const bySecret = new Map<string, Batch['secrets'][number]>();
  for (const { secretId, calls, lastUsedAtMs } of usages) {
    if (calls === 0) continue;
    const merged = bySecret.get(secretId);
    if (merged === undefined) bySecret.set(secretId, { secretId, calls, lastUsedAtMs });
    else
      Object.assign(merged, { calls: merged.calls + calls, lastUsedAtMs: Math.max(merged.lastUsedAtMs, lastUsedAtMs) });
  }
  return [...bySecret.values()];
};

const mergeByNetwork = (usages: readonly Usage[]): Batch['networks'] => {
  const byNetwork = new Map<string, Batch['networks'][number]>();
  for (const { apiKeyId, companyId, addresses } of usages)
    for (const [ip, { calls }] of addresses) {
      const network = networkOfIp(ip) ?? otherNetwork;
      const merged = byNetwork.get(`${apiKeyId} ${network}`);
      if (merged === undefined) byNetwork.set(`${apiKeyId} ${network}`, { apiKeyId, companyId, network, calls });
      else merged.calls += calls;
    }
  return [...byNetwork.values()];
};

/** Takes what was counted out of the given usages, which count from zero again. */
export const takeBatch = (usages: readonly Usage[], as: Pick<Batch, 'writerId' | 'number' | 'atMs'>): Batch => {
  const batch = {
    ...as,
    keys: mergeByKey(usages),
    secrets: mergeBySecret(usages),
    networks: mergeByNetwork(usages),
  };
  for (const usage of usages) {
    usage.isDirty = false;
    usage.calls = usage.answers = usage.clientErrors = usage.serverErrors = usage.rateLimited = 0;
    usage.address = undefined;
    usage.addresses.clear();
  }
  return batch;
};
