import { partnerNames, type PartnerName } from '@impact-hub/impact-in';
import { CommandError, UsageError } from '../hub-api/command-errors.ts';
import { runCommand } from '../hub-api/hub-command.ts';
import { findReceiver } from './find-receiver.ts';
import { openCredential, secretRefused } from './open-credential.ts';
import { createReport, printJsonLine } from './print-answers.ts';
import { runSimulation } from './run-simulation.ts';
import type { SimulateOptions } from './simulate-options.ts';

const goodPartner = (name: string): PartnerName => {
  const partner = partnerNames.find((each) => each === name);
  if (partner === undefined) throw new UsageError(`There is no partner ${name}; there are ${partnerNames.join(', ')}.`);
  return partner;
};

/** Plays a partner against an endpoint and tells what it was answered. Ends with 1 when that was not as documented. */
export const simulate = (name: string, options: SimulateOptions, environment: NodeJS.ProcessEnv): Promise<void> =>
  runCommand('simulate', async () => {
    const receiver = await findReceiver(goodPartner(name), options, environment);
    const credential = await openCredential(receiver, options);
    const report = createReport();
    let refused = false;
    try {
      await runSimulation(receiver, credential, options, (simulation) => {
        report.add(simulation);
        refused ||= !simulation.asExpected && simulation.answers.some(({ status }) => status === 401);
        if (options.json === true) printJsonLine(simulation);
      });
    } finally {
      if (options.json !== true) report.print();
    }
    const why = refused && receiver.keptIn !== undefined ? ` ${secretRefused(receiver.keptIn)}` : '';
    if (report.unexpected() > 0)
      throw new CommandError(
        `${report.unexpected()} were not answered as documented; see the rows marked NOT OK.${why}`,
      );
  });
