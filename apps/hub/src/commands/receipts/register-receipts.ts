import type { Command } from 'commander';
import { hubCaller, hubCommands } from '../hub-api/hub-command.ts';
import { addExplain, addList, addShow } from './read-commands.ts';
import { receiptsWords } from './receipts-words.ts';
import { addReverify } from './reverify-command.ts';

/** Adds `hub receipts …`: what came in, refused requests too, by the running hub's public API. */
export const registerReceipts = (program: Command, environment: NodeJS.ProcessEnv): void => {
  const receipts = hubCommands(program, 'receipts', 'list, explain and verify again what came into the running hub');
  const withHub = hubCaller(environment, receiptsWords);
  addList(receipts, withHub);
  addShow(receipts, withHub);
  addExplain(receipts, withHub);
  addReverify(receipts, withHub);
};
