import type { Command } from 'commander';
import { hubCaller, hubCommands } from '../hub-api/hub-command.ts';
import { deliveriesWords } from './deliveries-words.ts';
import { addList, addShow } from './read-commands.ts';
import { addReplay } from './replay-command.ts';
import { addReplays } from './replays-commands.ts';
import { addSend } from './send-command.ts';

/** Adds `hub deliveries …`: what partners delivered and were sent, and replaying it, by the running hub's public API. */
export const registerDeliveries = (program: Command, environment: NodeJS.ProcessEnv): void => {
  const deliveries = hubCommands(program, 'deliveries', 'list, show, send and replay deliveries of the running hub');
  const withHub = hubCaller(environment, deliveriesWords);
  addList(deliveries, withHub);
  addShow(deliveries, withHub);
  addSend(deliveries, withHub);
  addReplay(deliveries, withHub);
  addReplays(deliveries, withHub);
};
