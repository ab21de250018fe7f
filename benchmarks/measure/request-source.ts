import { makeEvent, signRequest, type PartnerName, type SchemeName } from '@impact-hub/impact-in';
import { httpRequest } from './http-request.ts';

/** What a load sends, described so that the loading process can make it itself. */
export type RequestSource =
  /** Complete requests, in turn and again from the beginning. */
  | { kind: 'repeated'; requests: Uint8Array[] }
  /** Complete requests, each sent once: a load that has used them up ends. */
  | { kind: 'once'; requests: Uint8Array[] }
  /** Each sent once: a load that has used them up ends. */
  | { kind: 'webhooks'; endpoints: WebhookTarget[]; count: number; bodyBytes: number; seed: string };

export type WebhookTarget = { partner: PartnerName; endpointId: string; scheme: SchemeName; secret: string };

const fillerField = ',"filler":""'.length;

const webhook = (target: WebhookTarget, seed: string, bodyBytes: number): Buffer => {
  const { partner, endpointId, scheme, secret } = target;
  const nowMs = Date.now();
  const bare = makeEvent(partner, { seed, nowMs });
  const fillerCharacters = Math.max(0, bodyBytes - bare.body.length - fillerField);
  const payload = JSON.stringify({ ...bare.payload, filler: 'x'.repeat(fillerCharacters) });
  const { headers, body } = signRequest({ scheme, secret, body: Buffer.from(payload), nowMs, eventId: bare.eventId });
  return httpRequest('POST', `/webhooks/${partner}/${endpointId}`, { ...headers, 'User-Agent': 'bench' }, body);
};

/** Makes the requests before the clock starts. */
export const makeRequests = (source: RequestSource): { requests: Buffer[]; repeat: boolean } => {
  if (source.kind !== 'webhooks')
    return { requests: source.requests.map((bytes) => Buffer.from(bytes)), repeat: source.kind === 'repeated' };
  const { endpoints, count, bodyBytes, seed } = source;
  const requests = Array.from({ length: count }, (_, index) => {
    const target = endpoints[index % endpoints.length];
    if (target === undefined) throw new Error('no endpoints were given');
    return webhook(target, `${seed} ${index}`, bodyBytes);
  });
  return { requests, repeat: false };
};
