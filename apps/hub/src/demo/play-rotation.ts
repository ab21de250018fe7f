import { faults, simulatePartner, type FaultName } from '@impact-hub/impact-in';
import type { DemoEndpoint } from './demo-endpoints.ts';
import type { HubClient } from './hub-client.ts';
import type { Played } from './scene.ts';

type Rotated = { secret: string; oldSecretEndsAt: string | null; secrets: { id: string; generation: number }[] };

/** Rotates an endpoint's secret: both are good meanwhile, the old one no more once it is retired. */
export async function* playRotation(hub: HubClient, endpoint: DemoEndpoint, seed: string): AsyncGenerator<Played> {
  const { id, url, partner, scheme } = endpoint;
  const path = `/api/v1/impact-in/endpoints/${id}`;
  const oldSecret = endpoint.credential();
  const rotated = await hub.change<Rotated>('POST', `${path}/rotate-secret`);
  const send = async (what: string, secret: string, expected: number): Promise<Played> => {
    const input = { partner, scheme, secret, seed: `${seed}/rotation/${what}`, nowMs: Date.now() };
    const { answers } = await simulatePartner(url, 'good' satisfies FaultName, input);
    const status = answers[0]?.status;
    const became = status === 200 ? 'accepted' : 'refused';
    return { keptPromise: status === expected, who: scheme, what, answers: String(status), became };
  };
  yield {
    keptPromise: rotated.secrets.length >= 2,
    who: scheme,
    what: 'its secret is rotated',
    answers: '200',
    became: `both are good until ${rotated.oldSecretEndsAt}`,
  };
  yield await send(`${faults.good.says}, by the old secret`, oldSecret, 200);
  yield await send(`${faults.good.says}, by the new secret`, rotated.secret, 200);
  const oldest = rotated.secrets.toSorted((a, b) => a.generation - b.generation)[0];
  await hub.change('POST', `${path}/secrets/${oldest?.id}/retire`);
  yield await send('the old secret is retired, and used once more', oldSecret, 401);
}
