import type { HubClient } from '../hub-api/hub-client.ts';
import { note } from '../hub-api/print.ts';
import { describeProgress, pathOfReplay, type Replay } from './describe-replay.ts';

const pollMs = 1_000;
/** Where lines stay, as in a log, not every second deserves one. */
const pollsPerLine = 10;

const isOver = ({ state }: Replay): boolean => state !== 'waiting' && state !== 'running';

/** One line that is written anew each second at a terminal, and a line now and then elsewhere. */
const createProgressLine = () => {
  const isTerminal = process.stderr.isTTY;
  let polls = 0;
  return {
    show: (text: string): void => {
      if (isTerminal) process.stderr.write(`\r\u001b[K${text}`);
      else if (polls++ % pollsPerLine === 0) note(text);
    },
    end: (): void => {
      if (isTerminal) process.stderr.write('\r\u001b[K');
    },
  };
};

/** Shows the progress of a replay until it has ended or is paused. It goes on without whoever looks on. */
export const followReplay = async (hub: HubClient, started: Replay): Promise<Replay> => {
  const line = createProgressLine();
  let replay = started;
  while (!isOver(replay)) {
    line.show(describeProgress(replay));
    await new Promise((resolve) => setTimeout(resolve, pollMs));
    replay = await hub.call<Replay>('GET', pathOfReplay(replay.id));
  }
  line.end();
  return replay;
};
