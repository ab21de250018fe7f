import { recordAudit, type AuditActor } from '@impact-hub/audit';
import { coreProblems, newId, publishChange, type Clock, type RequestInfo, type Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import type { EndpointRow, SecretRow } from '../tables.ts';
import { newClientSecret } from '../verification/client-credentials.ts';
import { defaultSchemeOf, profiles, schemesOf, type SchemeName } from '../verification/profile.ts';
import { newWebhookSecret } from '../verification/secret-key.ts';
import { newTokenKey } from '../verification/token-key.ts';
import { secretContext, secretPurpose } from './endpoint.ts';
import { refuseTooMany } from './endpoint-limits.ts';
import { endpointTopic } from './endpoint-directory.ts';
import { viewEndpoint } from './endpoint-view.ts';
import { insertEndpoint } from './repository.ts';
import { createEndpointBody, type CreateEndpointInput, type EndpointView } from './schema.ts';

/** Who creates or changes endpoints. */
export type EndpointMaker = { actor: AuditActor; request?: Pick<RequestInfo, 'id' | 'ip' | 'userAgent'> };

/** Shown once, at creation. */
export type EndpointCredentials = { secret: string } | { clientId: string; clientSecret: string };

type Deps = { crypto: Crypto; clock: Clock; publicUrl: string };

const refuseForeignScheme = (partner: EndpointRow['partner'], scheme: SchemeName): void => {
  const allowed = schemesOf(partner);
  if (allowed.includes(scheme)) return;
  throw coreProblems.requestInvalid({
    detail: `The scheme ${scheme} is not one of ${partner}.`,
    errors: [{ pointer: '/body/scheme', detail: `Use one of ${allowed.join(', ')}.` }],
  });
};

/** The secrets of a new endpoint as texts, and which of them the caller gets to see. */
const newSecrets = (endpointId: string, scheme: SchemeName) => {
  if (profiles[scheme].family === 'hmac') {
    const secret = newWebhookSecret();
    return { credentials: { secret }, texts: [{ kind: 'webhook_secret', text: secret }] as const };
  }
  const clientSecret = newClientSecret();
  return {
    // The endpoint's id is its client id: one name less to confuse.
    credentials: { clientId: endpointId, clientSecret },
    texts: [
      { kind: 'client_secret', text: clientSecret },
      { kind: 'token_key', text: newTokenKey() },
    ] as const,
  };
};

/**
 * Creates an endpoint with its first secret for the transaction's company. The secret is returned this once and only
 * stored encrypted. Other processes know the endpoint some milliseconds after the commit.
 *
 * @throws ProblemError `request.invalid` when the scheme is not one of the partner's or the company has claimed the hint
 * often enough; `impact_in.too_many_endpoints`
 */
export const createEndpoint = async (
  tx: Tx,
  deps: Deps,
  maker: EndpointMaker,
  input: CreateEndpointInput,
): Promise<{ endpoint: EndpointView; credentials: EndpointCredentials }> => {
  const { companyId } = tx;
  if (companyId === null) throw new Error('createEndpoint needs the transaction of a company');
  const { scheme = defaultSchemeOf(input.partner), ...settings } = createEndpointBody.parse(input);
  refuseForeignScheme(input.partner, scheme);
  const now = deps.clock.now();
  const { hint = null, allowedNetworks = null } = settings;
  await refuseTooMany(tx, companyId, { partner: input.partner, hint });
  const endpoint: EndpointRow = {
    ...settings,
    id: newId(),
    companyId,
    scheme,
    hint,
    allowedNetworks,
    state: 'active',
    createdAt: now,
    updatedAt: now,
  };
  const { credentials, texts } = newSecrets(endpoint.id, scheme);
  const secrets: SecretRow[] = [];
  for (const { kind, text } of texts) {
    const id = newId();
    const plaintext = Buffer.from(text);
    const ciphertext = await deps.crypto.encrypt({
      companyId,
      purpose: secretPurpose,
      context: secretContext(id),
      plaintext,
    });
    const state = 'active';
    secrets.push({
      id,
      endpointId: endpoint.id,
      companyId,
      kind,
      ciphertext,
      state,
      notAfter: null,
      lastMatchedAt: null,
      createdAt: now,
    });
  }
  await insertEndpoint(tx, { endpoint, secrets });
  await recordAudit(tx, {
    type: 'impact_in.endpoint.created',
    category: 'admin',
    actor: maker.actor,
    resource: { type: 'impact_in_endpoint', id: endpoint.id },
    request: maker.request,
    metadata: { partner: endpoint.partner, scheme, name: endpoint.name, hint, allowedNetworks },
  });
  await publishChange(tx, endpointTopic, endpoint.id);
  return { endpoint: viewEndpoint({ endpoint, secrets }, deps.publicUrl), credentials };
};
