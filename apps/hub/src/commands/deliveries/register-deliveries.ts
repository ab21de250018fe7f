import type { Command } from 'commander';
import { hubCaller, hubCommands } from '../hub-api/hub-command.ts';
import { deliveriesWords } from './deliveries-words.ts';
import { addList, addShow } from './read-commands.ts';
import { addReplay } from './replay-command.ts';
import { addReplays } from './replays-commands.ts';

/** Adds `hub deliveries …`: what partners delivered and were sent, and replaying it, by the running hub's public API. */
export const registerDeliveries = (program: Command, environment: NodeJS.ProcessEnv): void => {
  const deliveries = hubCommands(program, 'deliveries', 'list, show and replay deliveries of the running hub');
  const withHub = hubCaller(environment, deliveriesWords);
  addList(deliveries, withHub);
  addShow(deliveries, withHub);
  addReplay(deliveries, withHub);
  addReplays(deliveries, withHub);
};
