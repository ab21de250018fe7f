import type { Command } from 'commander';
import { hubCaller, hubCommands } from '../hub-api/hub-command.ts';
import { addChange, addCreate, addDelete, addSwitch } from './change-commands.ts';
import { connectionsWords } from './connections-words.ts';
import { addList, addShow, addTest } from './read-commands.ts';

/** Adds `hub connections …`: the partners' APIs that events are sent to, by the running hub's public API. */
export const registerConnections = (program: Command, environment: NodeJS.ProcessEnv): void => {
  const connections = hubCommands(program, 'connections', "make, try and pause connections to the partners' APIs");
  const withHub = hubCaller(environment, connectionsWords);
  addList(connections, withHub);
  addCreate(connections, withHub);
  addShow(connections, withHub);
  addTest(connections, withHub);
  addChange(connections, withHub);
  addSwitch(connections, withHub, 'pause', 'let what is sent to it wait until it is resumed');
  addSwitch(connections, withHub, 'resume', 'send again');
  addDelete(connections, withHub);
};
