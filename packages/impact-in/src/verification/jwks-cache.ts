import { readPinnedKeys, type PinnedKey } from './pinned-keys.ts';

export type JwksCache = {
  /**
   * Keys of that id at the address; `unavailable` when the address would have to be asked and does not answer.
   *
   * @param companyId whose endpoint asks: what waits is shared out between companies
   */
  find(url: string, keyId: string, companyId: string): Promise<readonly PinnedKey[] | 'unavailable'>;
};

export type JwksTimes = {
  /** From this age on a key set is fetched again beside the requests that use it. */
  renewAfterMs: number;
  /** From this age on requests wait for the new one, so that a withdrawn key is not believed for longer. */
  waitAfterMs: number;
  /** As long as its address does not answer, a key set is believed up to this age. */
  trustedForMs: number;
  /** Between two fetches of one address, whoever asks. */
  coolDownMs: number;
};

export const jwksTimes: JwksTimes = {
  renewAfterMs: 300_000,
  waitAfterMs: 900_000,
  trustedForMs: 14_400_000,
  coolDownMs: 10_000,
};

type Options = {
  /** @returns the parsed document; rejects when there is none in time. Has to end by itself. */
  fetchJwks(url: string): Promise<unknown>;
  nowMs(): number;
  onFetched(result: 'success' | 'failure', error?: unknown): void;
  onStaleUse(): void;
  times?: Partial<JwksTimes>;
};

type Entry = {
  keys: readonly PinnedKey[];
  loadedAtMs: number;
  triedAtMs: number;
  failed: boolean;
  running: Promise<void> | undefined;
};

/** About 30 KB each with large sets. The one used longest ago is forgotten first. */
const maxAddresses = 1_000;
/** Requests that wait, each with its body, at addresses that companies may have chosen to be slow. */
const [maxWaitingOfCompany, maxWaitingInAll] = [100, 400];

/**
 * Waiting places. A company gets one while it has fewer than are free: however many companies take what they can, there
 * is always one left for the next (the dynamic threshold of Choudhury and Hahne).
 */
const createPlaces = () => {
  const taken = new Map<string, number>();
  let inAll = 0;
  const change = (companyId: string, by: 1 | -1): void => {
    const own = (taken.get(companyId) ?? 0) + by;
    if (own === 0) taken.delete(companyId);
    else taken.set(companyId, own);
    inAll += by;
  };
  return {
    take: (companyId: string): boolean => {
      const own = taken.get(companyId) ?? 0;
      const isFree = own < Math.min(maxWaitingOfCompany, maxWaitingInAll - inAll);
      if (isFree) change(companyId, 1);
      return isFree;
    },
    leave: (companyId: string): void => change(companyId, -1),
  };
};

/**
 * The key sets of all endpoints' addresses. Fetches of one address never overlap and keep a distance, whatever key ids
 * strangers make up; only requests that need that address ever wait for it.
 */
export const createJwksCache = (options: Options): JwksCache => {
  const times = { ...jwksTimes, ...options.times };
  const entries = new Map<string, Entry>();
  const places = createPlaces();

  const entryOf = (url: string): Entry => {
    const known = entries.get(url);
    const entry = known ?? {
      keys: [],
      loadedAtMs: -Infinity,
      triedAtMs: -Infinity,
      failed: false,
      running: undefined,
    };
    entries.delete(url);
    entries.set(url, entry);
    if (entries.size > maxAddresses) entries.delete(entries.keys().next().value ?? '');
    return entry;
  };

  const load = async (url: string, entry: Entry): Promise<void> => {
    const startedAtMs = options.nowMs();
    try {
      entry.keys = await readPinnedKeys(await options.fetchJwks(url));
      entry.loadedAtMs = startedAtMs;
      entry.failed = false;
      options.onFetched('success');
    } catch (error) {
      entry.failed = true;
      options.onFetched('failure', error);
    } finally {
      entry.running = undefined;
    }
  };

  const renew = (url: string, entry: Entry): void => {
    const nowMs = options.nowMs();
    if (entry.running !== undefined || nowMs - entry.triedAtMs < times.coolDownMs) return;
    entry.triedAtMs = nowMs;
    entry.running = load(url, entry);
  };

  const ageOf = (entry: Entry): number => options.nowMs() - entry.loadedAtMs;
  const keysOf = (entry: Entry, keyId: string): readonly PinnedKey[] =>
    ageOf(entry) < times.trustedForMs ? entry.keys.filter((key) => key.keyId === keyId) : [];

  return {
    find: async (url, keyId, companyId) => {
      const entry = entryOf(url);
      const ageMs = ageOf(entry);
      const atOnce = keysOf(entry, keyId);
      if (atOnce.length === 0 || ageMs >= times.renewAfterMs) renew(url, entry);
      if (atOnce.length > 0 && ageMs < times.waitAfterMs) return atOnce;
      if (entry.running !== undefined && places.take(companyId)) {
        await entry.running;
        places.leave(companyId);
      }
      const keys = keysOf(entry, keyId);
      if (keys.length > 0 && ageOf(entry) >= times.waitAfterMs) options.onStaleUse();
      if (keys.length > 0) return keys;
      return entry.failed || entry.running !== undefined || ageOf(entry) >= times.trustedForMs ? 'unavailable' : [];
    },
  };
};
