import { Option, type Command } from 'commander';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { parseCount } from '../hub-api/parse-options.ts';
import { note, noteMore, printJson, printLine, printTable, when } from '../hub-api/print.ts';
import { readPages } from '../hub-api/read-pages.ts';
import { pathOfReplay, printEnd, type Replay } from './describe-replay.ts';
import { followReplay } from './follow-replay.ts';
import { printItems, readItems } from './replay-items.ts';

const id = '01a1fd2a-43a6-75a0-ab21-6e9a3a717903';
const states = ['waiting', 'running', 'paused', 'done', 'cancelled', 'failed'];

const addList = (replays: Command, withHub: WithHub): Command =>
  hubCommand(replays, 'list', 'list replays, newest first', 'hub deliveries replays list --state running', {
    isDefault: true,
  })
    .addOption(new Option('--state <state>', 'only these').choices(states))
    .addOption(new Option('--kind <kind>', 'only these').choices(['one', 'selection', 'window', 'retry_failed']))
    .option('--limit <rows>', 'at most so many', parseCount, 20)
    .action((options: CommonOptions & { state?: string; kind?: string; limit: number }) =>
      withHub(options, async (hub) => {
        const { state, kind, limit } = options;
        const found = await readPages<Replay>(hub, '/api/v1/impact-in/replays', { state, kind }, limit);
        if (options.json === true) return printJson(found);
        if (found.data.length === 0) return note('There is no such replay.');
        printTable(
          ['replay', 'created', 'state', 'done', 'of', 'failed', 'skipped', 'reason'],
          found.data.map((replay) => [
            replay.id,
            when(replay.createdAt),
            replay.state,
            replay.done,
            replay.selected,
            replay.failed,
            replay.skipped,
            replay.reason,
          ]),
        );
      }),
    );

const addShow = (replays: Command, withHub: WithHub): Command =>
  hubCommand(replays, 'show <replayId>', 'show how far a replay is', `hub deliveries replays show ${id} --follow`)
    .option('--follow', 'go on showing until it ends')
    .action((replayId: string, options: CommonOptions & { follow?: boolean }) =>
      withHub(options, async (hub) => {
        const found = await hub.call<Replay>('GET', pathOfReplay(replayId));
        const replay = options.follow === true ? await followReplay(hub, found) : found;
        if (options.json === true) printJson(replay);
        else printEnd(replay);
      }),
    );

const addFailures = (replays: Command, withHub: WithHub): Command =>
  hubCommand(
    replays,
    'failures <replayId>',
    'list the deliveries of a replay that failed, with the reason',
    `hub deliveries replays failures ${id}`,
  )
    .option('--skipped', 'those that were skipped instead')
    .option('--limit <rows>', 'at most so many', parseCount, 100)
    .action((replayId: string, options: CommonOptions & { skipped?: boolean; limit: number }) =>
      withHub(options, async (hub) => {
        const state = options.skipped === true ? 'skipped' : 'failed';
        const found = await readItems(hub, replayId, state, options.limit);
        if (options.json === true) return printJson(found);
        if (found.data.length === 0) return note('There is none.');
        printItems(found.data);
        noteMore(found, options.limit);
      }),
    );

const addChange = (replays: Command, withHub: WithHub, verb: string, description: string): Command =>
  hubCommand(replays, `${verb} <replayId>`, description, `hub deliveries replays ${verb} ${id}`).action(
    (replayId: string, options: CommonOptions) =>
      withHub(options, async (hub) => {
        const replay = await hub.call<Replay>('POST', pathOfReplay(replayId, `/${verb}`));
        if (options.json === true) printJson(replay);
        else printLine(`Replay ${replay.id} is ${replay.state}.`);
      }),
  );

/** `hub deliveries replays …` */
export const addReplays = (deliveries: Command, withHub: WithHub): void => {
  const replays = deliveries.command('replays').description('list, show, pause, resume and cancel replays');
  addList(replays, withHub);
  addShow(replays, withHub);
  addFailures(replays, withHub);
  addChange(replays, withHub, 'pause', 'begin nothing more until it is resumed');
  addChange(replays, withHub, 'resume', 'let a paused or failed replay go on where it stopped');
  addChange(replays, withHub, 'cancel', 'begin nothing more');
};
