import { recordAudit, type AuditActor } from '@impact-hub/audit';
import { coreProblems, newId, publishChange, type Clock, type RequestInfo, type Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import type { EndpointRow, SecretRow } from '../tables.ts';
import { defaultSchemeOf, schemesOf, type SchemeName } from '../verification/profile.ts';
import { secretContext, secretPurpose } from './endpoint.ts';
import { refuseTooMany } from './endpoint-limits.ts';
import { endpointTopic } from './endpoint-directory.ts';
import { viewEndpoint } from './endpoint-view.ts';
import { makeSecrets, type EndpointCredentials } from './new-secrets.ts';
import { insertEndpoint } from './repository.ts';
import { readSchemeSettings } from './scheme-settings.ts';
import { createEndpointBody, type CreateEndpointInput, type EndpointView } from './schema.ts';

/** Who creates or changes endpoints. */
export type EndpointMaker = { actor: AuditActor; request?: Pick<RequestInfo, 'id' | 'ip' | 'userAgent'> };

type Deps = { crypto: Crypto; clock: Clock; publicUrl: string; allowPrivateAddresses?: boolean };

const refuseForeignScheme = (partner: EndpointRow['partner'], scheme: SchemeName): void => {
  const allowed = schemesOf(partner);
  if (allowed.includes(scheme)) return;
  throw coreProblems.requestInvalid({
    detail: `The scheme ${scheme} is not one of ${partner}.`,
    errors: [{ pointer: '/body/scheme', detail: `Use one of ${allowed.join(', ')}.` }],
  });
};

/** Encrypts the texts of new secrets, each bound to its row. */
export const sealSecrets = async (
  deps: Pick<Deps, 'crypto'>,
  endpoint: { id: string; companyId: string },
  texts: readonly { kind: SecretRow['kind']; text: string }[],
  now: Date,
  generation = 1,
): Promise<SecretRow[]> => {
  const { id: endpointId, companyId } = endpoint;
  const secrets: SecretRow[] = [];
  for (const { kind, text } of texts) {
    const id = newId();
    const ciphertext = await deps.crypto.encrypt({
      companyId,
      purpose: secretPurpose,
      context: secretContext(id),
      plaintext: Buffer.from(text),
    });
    const common = { state: 'active', notAfter: null, lastMatchedAt: null, createdAt: now } as const;
    secrets.push({ id, endpointId, companyId, kind, ciphertext, generation, ...common });
  }
  return secrets;
};

/**
 * Creates an endpoint with its first secret for the transaction's company. The secret is returned this once and only
 * stored encrypted. Other processes know the endpoint some milliseconds after the commit.
 *
 * @throws ProblemError `request.invalid` when the scheme is not one of the partner's, its settings do not fit or the
 * company has claimed the hint often enough; `impact_in.too_many_endpoints`
 */
export const createEndpoint = async (
  tx: Tx,
  deps: Deps,
  maker: EndpointMaker,
  input: CreateEndpointInput,
): Promise<{ endpoint: EndpointView; credentials: EndpointCredentials }> => {
  const { companyId } = tx;
  if (companyId === null) throw new Error('createEndpoint needs the transaction of a company');
  const parsed = createEndpointBody.parse(input);
  const { scheme = defaultSchemeOf(input.partner), profile, jwt, username, secret, acceptWeak, ...common } = parsed;
  refuseForeignScheme(input.partner, scheme);
  const fields = { profile, jwt, username, secret, acceptWeak };
  const { settings, weak } = readSchemeSettings({ scheme, fields, allowedNetworks: common.allowedNetworks }, deps);
  const now = deps.clock.now();
  const { hint = null, allowedNetworks = null, expectedEverySeconds = null } = common;
  await refuseTooMany(tx, companyId, { partner: input.partner, hint });
  const endpoint: EndpointRow = {
    ...common,
    // A profile that says how far timestamps may be off is part of what the sender documents.
    toleranceSeconds: profile?.toleranceSeconds ?? common.toleranceSeconds,
    settings,
    id: newId(),
    companyId,
    scheme,
    hint,
    allowedNetworks,
    state: 'active',
    createdAt: now,
    updatedAt: now,
    deletedAt: null,
    hintSince: null,
    expectedEverySeconds,
    expectedSince: expectedEverySeconds === null ? null : now,
    silentSince: null,
  };
  const { credentials, texts } = makeSecrets(endpoint, secret);
  const secrets = await sealSecrets(deps, endpoint, texts, now);
  await insertEndpoint(tx, { endpoint, secrets });
  await recordAudit(tx, {
    type: 'impact_in.endpoint.created',
    category: 'admin',
    actor: maker.actor,
    resource: { type: 'impact_in_endpoint', id: endpoint.id },
    request: maker.request,
    metadata: {
      partner: endpoint.partner,
      scheme,
      name: endpoint.name,
      hint,
      allowedNetworks,
      weak,
      expectedEverySeconds,
    },
  });
  await publishChange(tx, endpointTopic, endpoint.id);
  return { endpoint: viewEndpoint({ endpoint, secrets, heardAt: null }, deps), credentials };
};
