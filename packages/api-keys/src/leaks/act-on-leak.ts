import { recordAudit } from '@impact-hub/audit';
import type { Clock, RequestInfo, Tx } from '@impact-hub/core';
import { changeApiKey } from '../change-api-key.ts';
import type { KeyMaker } from '../create-api-key.ts';
import { lockApiKey, publishApiKeyChange } from '../repository.ts';
import { revokeApiKey } from '../revoke-api-key.ts';
import { lockSecrets, setLeakReported, setSecretsEnd } from '../secret-repository.ts';
import { isLive } from '../secret-view.ts';
import type { ApiKeyRow, ApiKeySecretRow } from '../tables.ts';
import { describeFind } from './describe-find.ts';
import type { LeakedSecret } from './find-leaked-secrets.ts';
import type { LeakedKeyPolicy, LeakOutcome } from './leak-reports.ts';

type Find = ReturnType<typeof describeFind>;
type Deps = { clock: Clock; policy: LeakedKeyPolicy };

/** The finder decides nothing: the hub acts by the installation's policy, whatever scopes the key has. */
const hub: KeyMaker = { actor: { kind: 'system', id: 'leak-reports' }, scopes: null };

const outcomeFor = (policy: LeakedKeyPolicy, key: ApiKeyRow, secret: ApiKeySecretRow, newest: boolean, now: Date) => {
  const settled: LeakOutcome = secret.leakReportedAt === null ? 'noted' : 'repeated';
  if (key.revokedAt !== null || !isLive(secret, now) || policy === 'notify') return settled;
  if (!newest) return 'old_secret_ended';
  if (policy === 'revoke') return 'revoked';
  return key.enabled ? 'disabled' : settled;
};

const act = async (tx: Tx, clock: Clock, outcome: LeakOutcome, key: ApiKeyRow, secretId: string, find: Find) => {
  const reason = `leaked: ${find.source}`;
  const { keyId } = key;
  switch (outcome) {
    case 'revoked':
      return revokeApiKey(tx, { clock }, hub, { keyId, reason });
    case 'disabled':
      return changeApiKey(tx, { clock }, hub, { keyId, change: { enabled: false, reason } });
    case 'old_secret_ended':
      await setSecretsEnd(tx, [{ id: secretId }], clock.now());
      return publishApiKeyChange(tx, keyId);
    case 'noted':
    case 'repeated':
    case 'not_ours':
      return undefined;
  }
};

/**
 * Marks a secret as seen in public and acts by the policy, in one transaction of its company. An old secret of a
 * rotation ends alone: its key has a newer one that nobody reported. Repeated reports change and record nothing.
 */
export const actOnLeak = async (
  tx: Tx,
  { clock, policy }: Deps,
  { keyId, secretId, report }: LeakedSecret,
  request: RequestInfo,
): Promise<LeakOutcome> => {
  const key = await lockApiKey(tx, keyId);
  if (key === undefined) return 'not_ours';
  const secrets = await lockSecrets(tx, key.id);
  const secret = secrets.find(({ id }) => id === secretId);
  if (secret === undefined) return 'not_ours';
  const now = clock.now();
  const outcome = outcomeFor(policy, key, secret, secret === secrets[0], now);
  if (outcome === 'repeated') return outcome;
  const find = describeFind(report);
  if (secret.leakReportedAt === null) await setLeakReported(tx, secret.id, now);
  await recordAudit(tx, {
    type: 'api_key.leak_reported',
    category: 'security',
    severity: 'critical',
    actor: { kind: 'anonymous', id: 'anonymous' },
    resource: { type: 'api_key', id: keyId },
    request,
    metadata: { name: key.name, ...find, policy, outcome, generation: secret.generation },
  });
  await act(tx, clock, outcome, key, secret.id, find);
  return outcome;
};
