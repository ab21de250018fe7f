import { apiKeyTopic } from '@impact-hub/api-keys';
import { ProblemError, type AccessPolicy, type ChangeFeed, type StreamCall } from '@impact-hub/core';
import type { UpstreamSettings } from './upstream-settings.ts';

/** Close codes of RFC 6455 §7.4.1 and its registry: refused for good, and for now. */
export type CloseCode = 1008 | 1013;

type Options = {
  changes: Pick<ChangeFeed, 'subscribe'>;
  authorize: AccessPolicy;
  /** How long an open WebSocket may outlive the end of its key or secret; for tests. */
  checkEveryMs?: number;
};

export type SocketWatch = {
  /** Verifies the key of an open WebSocket again, and calls `close` once it is refused. */
  watch(call: StreamCall, scopes: UpstreamSettings['scopes'], close: (code: CloseCode) => void): void;
  stop(): void;
};

/** A key that expires is no change that anybody announces. Verifying a known key takes microseconds. */
const defaultCheckEveryMs = 10_000;

/** Why a key is verified again: by the feed it may have changed, by the clock it may have expired. */
type Reason = 'changed' | 'expired';

const isRefusal = (error: unknown): boolean =>
  error instanceof ProblemError && [401, 403].includes(error.definition.status);

/**
 * Watches the keys of open WebSockets. Hears changes after the verifier, which must have been made before, has
 * forgotten what it knew of them.
 */
export const watchSockets = ({ changes, authorize, checkEveryMs = defaultCheckEveryMs }: Options): SocketWatch => {
  const checksByKey = new Map<string, Set<(reason: Reason) => void>>();
  const checkKey = (keyId: string): void => checksByKey.get(keyId)?.forEach((check) => check('changed'));
  changes.subscribe(apiKeyTopic, checkKey, () => [...checksByKey.keys()].forEach(checkKey));
  const timer = setInterval(() => {
    for (const checks of checksByKey.values()) checks.forEach((check) => check('expired'));
  }, checkEveryMs);
  timer.unref();

  const watch: SocketWatch['watch'] = ({ request, principal }, { read, write }, close) => {
    if (principal.kind !== 'api_key') return;
    const { keyId } = principal;
    const verify = async (reason: Reason): Promise<void> => {
      try {
        await authorize(request, { scopes: [...read, ...write] }, { environments: ['live'] });
      } catch (error) {
        if (isRefusal(error)) close(1008);
        // What has changed and cannot be verified does not stay open; an outage alone ends nothing.
        else if (reason === 'changed') close(1013);
      }
    };
    const check = (reason: Reason): void => void verify(reason);
    const checks = checksByKey.get(keyId) ?? new Set();
    checksByKey.set(keyId, checks.add(check));
    request.raw.socket.once('close', () => {
      checks.delete(check);
      if (checks.size === 0 && checksByKey.get(keyId) === checks) checksByKey.delete(keyId);
    });
    // The key may have changed while the upstream opened its side.
    check('changed');
  };
  return { watch, stop: () => clearInterval(timer) };
};
