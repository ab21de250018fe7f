import { simulatePartner, startPartnerApis, type PartnerApis } from '@impact-hub/impact-in';
import type { DemoEndpoint } from './demo-endpoints.ts';
import { pollUntil, type HubClient } from './hub-client.ts';
import { processingTimeoutMs, type Played } from './scene.ts';

type Attempt = { number: number; result: string; error: string | null };
type Detail = { id: string; status: string; settledBy: string | null; attemptLog: Attempt[] };

const deliveries = '/api/v1/impact-in/deliveries';
const connections = '/api/v1/impact-in/connections';

const connect = ({ baseUrl, credentials }: PartnerApis, hub: HubClient): Promise<{ id: string }> => {
  const { apiKey, signingSecret } = credentials;
  const body = { api: 'benevity', name: 'Demo stand-in', baseUrl, credentials: { apiKey, signingSecret } };
  return hub.change('POST', connections, body);
};

const tell = ({ number, result, error }: Attempt): string =>
  `attempt ${number} ${result}${error === null ? '' : ` (${error})`}`;

async function* send(
  hub: HubClient,
  partners: PartnerApis,
  endpoint: DemoEndpoint,
  connectionId: string,
): AsyncGenerator<Played> {
  const payload = { activity: 'Reading with children', hours: 2, occurredAt: new Date().toISOString() };
  partners.inject('resetAfterCommit');
  const { id } = await hub.change<{ id: string }>('POST', deliveries, { connectionId, payload });
  const read = (): Promise<Detail> => hub.get<Detail>(`${deliveries}/${id}`);
  const sent = await pollUntil(read, ({ status }) => status === 'success', processingTimeoutMs);
  const effects = partners.records().length;
  yield {
    keptPromise: sent.status === 'success' && effects === 1 && partners.calls().length === 2,
    who: 'benevity',
    what: 'an event sent to a stand-in that keeps it and breaks the connection',
    answers: '202',
    became: `${sent.status}, ${effects} effect there: ${sent.attemptLog.map(tell).join(', ')}`,
  };
  const { partner, scheme, url } = endpoint;
  const about = { eventType: 'delivery.failed', correlationId: id };
  const secret = endpoint.credential();
  const { answers } = await simulatePartner(url, 'good', {
    partner,
    scheme,
    secret,
    seed: `sending/${id}`,
    nowMs: Date.now(),
    ...about,
  });
  const settled = await pollUntil(read, ({ settledBy }) => settledBy !== null, processingTimeoutMs);
  yield {
    keptPromise: settled.status === 'failed' && settled.settledBy !== null,
    who: scheme,
    what: 'the webhook of the partner that it failed later, after all',
    answers: answers.map(({ status }) => status).join(', '),
    became: `the delivery sent is ${settled.status}, settled by ${settled.settledBy}`,
  };
}

/**
 * Sends an event to a stand-in of Benevity's API on this machine that fails once, and lets its webhook decide.
 *
 * @param endpoint where the webhook of that partner is received
 */
export async function* playSending(hub: HubClient, endpoint: DemoEndpoint): AsyncGenerator<Played> {
  const partners = await startPartnerApis();
  try {
    const { id } = await connect(partners, hub);
    yield* send(hub, partners, endpoint, id);
    await hub.change('DELETE', `${connections}/${id}`);
  } finally {
    await partners.close();
  }
}
