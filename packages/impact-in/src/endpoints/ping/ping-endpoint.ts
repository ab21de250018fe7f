import type { CompanyPrincipal, RequestInfo } from '@impact-hub/core';
import { actorOf, recordAudit } from '@impact-hub/audit';
import type { ImpactInDeps } from '../../deps.ts';
import { InboxUnavailable } from '../../inbox/inbox-errors.ts';
import { endpointNotFound, inboxUnavailable } from '../../problems.ts';
import { validSets } from '../plan-rotation.ts';
import { pingLimited, secretNotFound } from '../problems.ts';
import { findEndpoint, type EndpointWithSecrets } from '../repository.ts';
import { describeTrust, networkCheck } from './describe-checks.ts';
import { receivePing } from './receive-ping.ts';
import type { PingView } from './schema.ts';
import { signPing } from './sign-ping.ts';

type Ping = { id: string; secretId?: string | undefined };
type By = { principal: CompanyPrincipal; request: RequestInfo };

const nothing: PingView = {
  signed: false,
  accepted: null,
  reason: null,
  signedWithSecretId: null,
  matchedSecretId: null,
  receiptId: null,
  eventId: null,
  latencyMs: null,
  checks: [],
};

const chooseSecrets = (deps: ImpactInDeps, { secrets }: EndpointWithSecrets, secretId: string | undefined) => {
  if (secretId === undefined) return validSets(secrets, deps.clock.now())[0] ?? [];
  const chosen = secrets.find(({ id }) => id === secretId);
  if (chosen === undefined) throw secretNotFound();
  return secrets.filter(({ generation }) => generation === chosen.generation);
};

const unlessUnreadable = (error: unknown): 'unreadable' => {
  if ((error as Error).name === 'DecryptionFailed') return 'unreadable';
  throw error;
};

const sendSigned = async (
  deps: ImpactInDeps,
  found: EndpointWithSecrets,
  { secretId }: Ping,
  requestId: string,
): Promise<PingView> => {
  const { endpoint } = found;
  const secrets = chooseSecrets(deps, found, secretId);
  // Of a pair the one that is sent with each request is named: the key of tokens, the secret header.
  const named = secrets.find(({ kind }) => kind !== 'client_secret' && kind !== 'url_token') ?? secrets[0];
  const view = { ...nothing, signed: true, accepted: false, signedWithSecretId: secretId ?? named?.id ?? null };
  const checks = [networkCheck(endpoint)];
  if (named === undefined) return { ...view, reason: 'no_active_secret', checks };
  const ping = await signPing(deps, endpoint, secrets).catch(unlessUnreadable);
  if (ping === 'unreadable') return { ...view, reason: 'secret_unreadable', checks };
  if (ping === null) return { ...view, reason: 'no_token_granted', checks };
  const received = await receivePing(deps, endpoint, ping, requestId);
  return { ...view, ...received, accepted: received.reason === null, eventId: ping.event.eventId, checks };
};

/**
 * Tries an endpoint: signs an event with its own secret, as its partner would, and has it taken like the partner's.
 *
 * @throws ProblemError `impact_in.endpoint_not_found`, `impact_in.secret_not_found`, `impact_in.ping_limited`; 503 when the inbox is not available
 */
export const pingEndpoint = async (deps: ImpactInDeps, by: By, ping: Ping): Promise<PingView> => {
  const { companyId } = by.principal;
  const found = await deps.db.company(companyId, (tx) => findEndpoint(tx, ping.id));
  if (found === undefined) throw endpointNotFound();
  if (deps.pings.left(companyId) < 1) throw pingLimited({ headers: { 'retry-after': '2' } });
  deps.pings.spend(companyId, 1);
  // What is committed now counts, not what this process has heard of it.
  await deps.endpoints.reload(ping.id);
  const held = deps.endpoints.find(ping.id);
  if (held === undefined) throw inboxUnavailable({ headers: { 'retry-after': '2' } });
  try {
    const result =
      held.profile?.family === 'jwt'
        ? { ...nothing, checks: await describeTrust(found.endpoint, held, deps.jwks) }
        : await sendSigned(deps, found, ping, by.request.id);
    const { accepted, reason, receiptId, matchedSecretId } = result;
    await deps.db.company(companyId, (tx) =>
      recordAudit(tx, {
        type: 'impact_in.endpoint.pinged',
        category: 'admin',
        actor: actorOf(by.principal),
        request: by.request,
        resource: { type: 'impact_in_endpoint', id: ping.id },
        metadata: { accepted, reason, receiptId, matchedSecretId },
      }),
    );
    return result;
  } catch (error) {
    if (error instanceof InboxUnavailable) throw inboxUnavailable({ headers: { 'retry-after': '2' }, cause: error });
    throw error;
  }
};
