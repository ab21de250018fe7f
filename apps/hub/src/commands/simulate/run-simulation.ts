import { randomUUID } from 'node:crypto';
import { faultsOf, simulatePartner, type FaultName, type Simulation } from '@impact-hub/impact-in';
import { CommandError, UsageError } from '../hub-api/command-errors.ts';
import type { Receiver } from './find-receiver.ts';
import type { NextCredential } from './open-credential.ts';
import type { SimulateOptions } from './simulate-options.ts';

/** Beyond so many unanswered events, sending waits: a receiver that is down is not to be flooded. */
const maxUnderWay = 256;

/** @throws UsageError when the scheme cannot show one that was named */
const chooseFaults = ({ scheme }: Receiver, wanted: SimulateOptions['fault']): FaultName[] => {
  const possible = faultsOf(scheme);
  if (wanted === 'all') return possible;
  const impossible = wanted.find((fault) => !possible.includes(fault));
  if (impossible !== undefined) throw new UsageError(`${scheme} cannot show the fault ${impossible}.`);
  return wanted;
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Sends what was asked for and hands on each answer as it comes: one after the other, or at a rate whatever the answers
 * take.
 *
 * @throws CommandError when nobody answers there
 */
export const runSimulation = async (
  receiver: Receiver,
  credential: NextCredential,
  options: SimulateOptions,
  onAnswer: (simulation: Simulation) => void,
): Promise<void> => {
  const { partner, url, scheme, profile } = receiver;
  const { count, rate, eventType, correlationId } = options;
  const faults = chooseFaults(receiver, options.fault);
  const seed = options.seed ?? randomUUID();
  const send = async (fault: FaultName, number: number): Promise<void> => {
    const input = {
      partner,
      scheme,
      secret: credential(),
      seed: `${seed} ${fault} ${number}`,
      nowMs: Date.now(),
      ...(profile === undefined ? {} : { profile }),
      ...(eventType === undefined ? {} : { eventType }),
      ...(correlationId === undefined ? {} : { correlationId }),
    };
    onAnswer(await simulatePartner(url, fault, input));
  };
  const underWay = new Set<Promise<void>>();
  const startedAtMs = performance.now();
  let sent = 0;
  let failure: unknown;
  for (let number = 1; number <= count && failure === undefined; number += 1)
    for (const fault of faults) {
      const sending = send(fault, number).catch((error: unknown) => {
        failure ??= error;
      });
      underWay.add(sending);
      void sending.then(() => underWay.delete(sending));
      sent += 1;
      if (rate === undefined) await sending;
      else await pause(Math.max(0, startedAtMs + (sent * 1_000) / rate - performance.now()));
      while (underWay.size >= maxUnderWay) await Promise.race(underWay);
    }
  await Promise.all(underWay);
  if (failure !== undefined)
    throw new CommandError(
      `Nobody answers at ${new URL(url).origin} (${(failure as Error).message}). Start the hub with: npm start`,
      {
        cause: failure,
      },
    );
};
