import type { Command } from 'commander';
import { hubCaller, hubCommands } from '../hub-api/hub-command.ts';
import { endpointsWords } from './endpoints-words.ts';
import { addPing } from './ping-command.ts';
import { addList, addShow } from './read-commands.ts';
import { addRetireSecret, addRotate } from './secret-commands.ts';
import { addChange, addCreate } from './settings-commands.ts';
import { addDelete, addSwitch } from './state-commands.ts';

/** Adds `hub endpoints …`: where partners send to, and their secrets, by the running hub's public API. */
export const registerEndpoints = (program: Command, environment: NodeJS.ProcessEnv): void => {
  const endpoints = hubCommands(program, 'endpoints', 'make, list, try and rotate receivers of the running hub');
  const withHub = hubCaller(environment, endpointsWords);
  addCreate(endpoints, withHub);
  addList(endpoints, withHub);
  addShow(endpoints, withHub);
  addChange(endpoints, withHub);
  addRotate(endpoints, withHub, environment);
  addRetireSecret(endpoints, withHub);
  addPing(endpoints, withHub);
  addSwitch(endpoints, withHub, 'pause', 'answer authentic events with 503 until it is resumed');
  addSwitch(endpoints, withHub, 'resume', 'receive again');
  addDelete(endpoints, withHub, environment);
};
