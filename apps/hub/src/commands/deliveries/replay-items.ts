import type { ReplayItemView } from '@impact-hub/impact-in';
import type { HubClient } from '../hub-api/hub-client.ts';
import { noteMore, printLine, printTable } from '../hub-api/print.ts';
import { readPages } from '../hub-api/read-pages.ts';
import type { Sent } from '../hub-api/sent.ts';
import { pathOfReplay, type Replay } from './describe-replay.ts';

type Item = Sent<ReplayItemView>;

/** The deliveries of a replay that ended so, with the reason. */
export const readItems = (hub: HubClient, replayId: string, state: 'failed' | 'skipped', limit: number) =>
  readPages<Item>(hub, pathOfReplay(replayId, '/items'), { state }, limit);

export const printItems = (items: readonly Item[]): void =>
  printTable(
    ['delivery', 'reason'],
    items.map(({ deliveryId, reason }) => [deliveryId, reason]),
  );

const shown = 20;

/** Says of deliveries that were named why they were skipped. */
export const printSkipped = async (hub: HubClient, replay: Replay): Promise<void> => {
  if (replay.skipped === 0) return;
  const skipped = await readItems(hub, replay.id, 'skipped', shown);
  printLine('\nSkipped:');
  printItems(skipped.data);
  noteMore(skipped, shown);
};
