import { pollUntil, type HubClient } from './hub-client.ts';
import { processingTimeoutMs, type Played } from './scene.ts';

type Replay = { id: string; state: string; selected: number; done: number; succeeded: number; failed: number };

/** Replays what came in since, and follows it. @param onProgress is told how far it is */
export async function* playReplay(
  hub: HubClient,
  from: Date,
  onProgress: (line: string) => void,
): AsyncGenerator<Played> {
  const order = { from: from.toISOString(), direction: 'inbound', reason: 'demo' };
  const path = '/api/v1/impact-in';
  const { selected } = await hub.change<{ selected: number }>('POST', `${path}/deliveries/bulk-replay`, {
    ...order,
    dryRun: true,
  });
  const { id } = await hub.change<{ id: string }>('POST', `${path}/deliveries/bulk-replay`, {
    ...order,
    ratePerSecond: 10,
  });
  let shown = '';
  const read = async (): Promise<Replay> => {
    const replay = await hub.get<Replay>(`${path}/replays/${id}`);
    const line = `${replay.state}: ${replay.done} of ${replay.selected}`;
    if (line !== shown) onProgress(line);
    shown = line;
    return replay;
  };
  const replay = await pollUntil(read, ({ state }) => state === 'done', processingTimeoutMs * 2);
  yield {
    keptPromise: replay.state === 'done' && replay.succeeded === replay.selected,
    who: 'replay',
    what: `all of ${selected} inbound deliveries of this demo, 10 a second`,
    answers: '202',
    became: `${replay.state}: ${replay.succeeded} succeeded, ${replay.failed} failed`,
  };
}
