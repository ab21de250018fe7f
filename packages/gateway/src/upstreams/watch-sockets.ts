import { apiKeyTopic } from '@impact-hub/api-keys';
import { ProblemError, type AccessPolicy, type ChangeFeed, type StreamCall } from '@impact-hub/core';
import type { UpstreamSettings } from './upstream-settings.ts';

/** Close codes of RFC 6455 §7.4.1 and its registry: refused for good, and for now. */
export type CloseCode = 1008 | 1013;

type Options = { changes: Pick<ChangeFeed, 'subscribe'>; authorize: AccessPolicy };

/** Verifies the key of an open WebSocket again whenever it may have changed, and calls `close` once it is refused. */
export type WatchSocket = (
  call: StreamCall,
  scopes: UpstreamSettings['scopes'],
  close: (code: CloseCode) => void,
) => void;

const isRefusal = (error: unknown): boolean =>
  error instanceof ProblemError && [401, 403].includes(error.definition.status);

/** Hears changes of keys after the verifier, which must have been made before, has forgotten what it knew of them. */
export const watchSockets = ({ changes, authorize }: Options): WatchSocket => {
  const checksByKey = new Map<string, Set<() => void>>();
  const checkKey = (keyId: string): void => checksByKey.get(keyId)?.forEach((check) => check());
  changes.subscribe(apiKeyTopic, checkKey, () => [...checksByKey.keys()].forEach(checkKey));

  return ({ request, principal }, { read, write }, close) => {
    if (principal.kind !== 'api_key') return;
    const { keyId } = principal;
    const check = async (): Promise<void> => {
      try {
        await authorize(request, { scopes: [...read, ...write] }, { environments: ['live'] });
      } catch (error) {
        // What cannot be verified does not stay open, either.
        close(isRefusal(error) ? 1008 : 1013);
      }
    };
    const onChange = (): void => void check();
    const checks = checksByKey.get(keyId) ?? new Set();
    checksByKey.set(keyId, checks.add(onChange));
    request.raw.socket.once('close', () => {
      checks.delete(onChange);
      if (checks.size === 0 && checksByKey.get(keyId) === checks) checksByKey.delete(keyId);
    });
    // The key may have changed while the upstream opened its side.
    onChange();
  };
};
