import type { ChangeFeed } from '@impact-hub/core';
import type { PartnerName } from '../verification/profile.ts';
import type { Endpoint } from './endpoint.ts';
import type { EndpointLoader } from './load-endpoints.ts';
import { orderCandidates } from './order-candidates.ts';

/** Topic of the change feed; the key is the endpoint's id. */
export const endpointTopic = 'impact_in.endpoint';

export type EndpointDirectory = {
  find(id: string): Endpoint | undefined;
  /** Endpoints of the partner that claim this account, in the order to try; untrusted until a secret verifies. */
  findByHint(partner: PartnerName, hint: string): readonly Endpoint[];
  hasActive(partner: PartnerName): boolean;
  countSilent(partner: PartnerName): number;
  /** False when the last complete load is too old to say that an endpoint does not exist. */
  isCurrent(): boolean;
  /** Reads one endpoint again, or all; resolves when what is committed now is known here. */
  reload(id?: string): Promise<void>;
  stop(): Promise<void>;
};

type Options = {
  loader: EndpointLoader;
  changes: Pick<ChangeFeed, 'subscribe'>;
  onError(error: unknown): void;
  reloadIntervalMs?: number;
  trustedForMs?: number;
};

/** How soon a failed load is tried again. */
const retryIntervalMs = 1_000;

const hintKey = (partner: string, hint: string): string => `${partner}\n${hint}`;

/**
 * All endpoints of the installation in memory, so that a webhook is verified without the database. Changes arrive
 * through the change feed within milliseconds; a complete reload every 10 s is the truth when the feed is silent.
 * While the database is away the known endpoints serve for 30 s: a webhook needs a commit anyway.
 *
 * Loads run one after the other and take what has been asked for when they start. A change that arrives during a load
 * is therefore always followed by another one: no fill that raced a change outlives it.
 */
export const openEndpointDirectory = async (options: Options): Promise<EndpointDirectory> => {
  const { loader, reloadIntervalMs = 10_000, trustedForMs = 30_000 } = options;
  let endpoints = new Map<string, Endpoint>();
  let byHint: ReadonlyMap<string, readonly Endpoint[]> = new Map();
  let completeAtMs = -Infinity;
  let wanted: Set<string> | 'all' = new Set();
  let running: Promise<void> | undefined;
  let stopped = false;

  const index = (): void => {
    const claims = new Map<string, Endpoint[]>();
    for (const endpoint of endpoints.values()) {
      if (endpoint.hint === null) continue;
      const key = hintKey(endpoint.partner, endpoint.hint);
      const others = claims.get(key);
      if (others === undefined) claims.set(key, [endpoint]);
      else others.push(endpoint);
    }
    for (const [key, own] of claims) if (own.length > 1) claims.set(key, orderCandidates(own));
    byHint = claims;
  };

  const loadOnce = async (what: Set<string> | 'all'): Promise<void> => {
    const startedAtMs = performance.now();
    const loaded = await loader.load(what === 'all' ? 'all' : [...what]);
    const found = new Map(loaded.map((endpoint) => [endpoint.id, endpoint]));
    if (what === 'all') {
      endpoints = found;
      completeAtMs = startedAtMs;
    } else
      for (const id of what) {
        const endpoint = found.get(id);
        if (endpoint === undefined) endpoints.delete(id);
        else endpoints.set(id, endpoint);
      }
    index();
  };

  const run = async (): Promise<void> => {
    while (wanted === 'all' || wanted.size > 0) {
      const what = wanted;
      wanted = new Set();
      try {
        await loadOnce(what);
      } catch (error) {
        wanted = 'all';
        throw error;
      }
    }
  };

  const reload = (id?: string): Promise<void> => {
    if (id === undefined) wanted = 'all';
    else if (wanted !== 'all') wanted.add(id);
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  };

  options.changes.subscribe(endpointTopic, (id) => void reload(id).catch(options.onError));
  await reload();
  const reloadWhenDue = (): void => {
    const isDue = wanted === 'all' || performance.now() - completeAtMs >= reloadIntervalMs;
    if (isDue && running === undefined) void reload().catch(options.onError);
  };
  const timer = setInterval(reloadWhenDue, Math.min(reloadIntervalMs, retryIntervalMs)).unref();

  const isCurrent = (): boolean => !stopped && performance.now() - completeAtMs < trustedForMs;
  return {
    find: (id) => (isCurrent() ? endpoints.get(id) : undefined),
    findByHint: (partner, hint) => (isCurrent() ? (byHint.get(hintKey(partner, hint)) ?? []) : []),
    hasActive: (partner) => [...endpoints.values()].some((one) => one.partner === partner && one.state === 'active'),
    countSilent: (partner) => [...endpoints.values()].filter((one) => one.partner === partner && one.isSilent).length,
    isCurrent,
    reload,
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      await running?.catch(() => undefined);
    },
  };
};
