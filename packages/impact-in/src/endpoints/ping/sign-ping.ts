import { newId } from '@impact-hub/core';
import type { ImpactInDeps } from '../../deps.ts';
import { makeEvent, type SimulatedEvent } from '../../simulators/make-event.ts';
import { signRequest } from '../../simulators/sign-request.ts';
import type { EndpointRow, SecretRow } from '../../tables.ts';
import type { SchemeName } from '../../verification/profile.ts';
import { secretContext, secretPurpose } from '../endpoint.ts';
import { grantToken } from '../grant-token.ts';
import { profileOfEndpoint } from '../new-secrets.ts';

export type SignedPing = { rawHeaders: string[]; urlToken: string | null; event: SimulatedEvent };

type SecretText = { kind: SecretRow['kind']; text: string };

const openSecrets = async (
  { crypto }: ImpactInDeps,
  { companyId }: EndpointRow,
  secrets: readonly SecretRow[],
): Promise<SecretText[]> => {
  const texts: SecretText[] = [];
  for (const { id, kind, ciphertext } of secrets) {
    const context = secretContext(id);
    const plaintext = await crypto.decrypt({ companyId, purpose: secretPurpose, context, ciphertext });
    texts.push({ kind, text: plaintext.toString('utf8') });
    plaintext.fill(0);
  }
  return texts;
};

const ignoreMatches = { note: () => undefined, flush: async () => undefined, stop: async () => undefined };

/** Gets a token as the partner would; that the hub used the secret itself must not look as if the partner did. */
const tokenFor = async (deps: ImpactInDeps, { id }: EndpointRow, clientSecret: string): Promise<string | null> => {
  const credentials = Buffer.from(`${id}:${clientSecret}`).toString('base64');
  const rawHeaders = ['content-type', 'application/x-www-form-urlencoded', 'authorization', `Basic ${credentials}`];
  const form = Buffer.from('grant_type=client_credentials');
  const answer = await grantToken({ ...deps, matchedSecrets: ignoreMatches }, rawHeaders, form);
  return answer.granted ? answer.token.accessToken : null;
};

/** An event of the partner as it would send it now, telling its time where the signature does not. */
const sandboxEvent = (endpoint: EndpointRow, nowMs: number): SimulatedEvent => {
  const event = makeEvent(endpoint.partner, { seed: newId(), nowMs });
  const profile = profileOfEndpoint(endpoint);
  const timeField = profile?.family === 'hmac' ? profile.payloadTimestampField : undefined;
  if (timeField === undefined || timeField in event.payload) return event;
  const payload = { ...event.payload, [timeField]: new Date(nowMs).toISOString() };
  return { ...event, payload, body: Buffer.from(JSON.stringify(payload)) };
};

/**
 * Signs an event as the partner would, by the code that stands in for partners and shares nothing with the verifier.
 *
 * @param secrets of one generation
 * @returns null when no token is granted for the client secret
 * @throws DecryptionFailed when a stored secret cannot be opened
 */
export const signPing = async (
  deps: ImpactInDeps,
  endpoint: EndpointRow,
  secrets: readonly SecretRow[],
): Promise<SignedPing | null> => {
  const texts = await openSecrets(deps, endpoint, secrets);
  const textOf = (kind: SecretRow['kind']): string | undefined => texts.find((text) => text.kind === kind)?.text;
  const [clientSecret, password] = [textOf('client_secret'), textOf('password')];
  const { profile, username = endpoint.id } = endpoint.settings;
  const credential =
    clientSecret !== undefined
      ? await tokenFor(deps, endpoint, clientSecret)
      : password === undefined
        ? (textOf('webhook_secret') ?? textOf('header_token') ?? '')
        : `${username}:${password}`;
  if (credential === null) return null;
  const nowMs = deps.clock.nowMs();
  const event = sandboxEvent(endpoint, nowMs);
  const { headers } = signRequest({
    scheme: endpoint.scheme as SchemeName,
    secret: credential,
    body: event.body,
    nowMs,
    eventId: event.eventId,
    ...(profile === undefined ? {} : { profile }),
  });
  const rawHeaders = Object.entries({ 'User-Agent': 'impact-hub-ping', ...headers }).flat();
  return { rawHeaders, urlToken: textOf('url_token') ?? null, event };
};
