import type { Command } from 'commander';
import { hubCommands } from '../hub-api/hub-command.ts';
import { addSimulateOptions, type SimulateOptions } from './simulate-options.ts';

/** Adds `hub simulate`: partners that send good and bad events, so that a hub can be tried without a contract. */
export const registerSimulate = (program: Command, environment: NodeJS.ProcessEnv): void => {
  const command = hubCommands(program, 'simulate', 'play a partner that sends events, good ones or with faults');
  addSimulateOptions(command).action(async (partner: string, options: SimulateOptions) => {
    const { simulate } = await import('./simulate-command.ts');
    await simulate(partner, options, environment);
  });
};
