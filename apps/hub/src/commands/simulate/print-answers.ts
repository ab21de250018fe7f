import type { FaultName, Simulation } from '@impact-hub/impact-in';
import { printLine, printTable } from '../hub-api/print.ts';

/** Up to so many events every one has a line of its own, in the order of their answers. */
const listedEvents = 40;

type Body = { receiptId?: string; duplicate?: boolean; code?: string; received?: boolean };

const tellBody = (body: unknown): string => {
  if (typeof body !== 'object' || body === null) return '';
  const { receiptId, duplicate, code } = body as Body;
  if (code !== undefined) return code;
  return [duplicate === true ? 'known' : '', receiptId ?? ''].filter((text) => text !== '').join(' ');
};

const rowOf = ({ fault, says, answers, asExpected }: Simulation): unknown[] => [
  asExpected ? 'ok' : 'NOT OK',
  fault,
  says,
  answers.map(({ status }) => status).join(', '),
  answers.map(({ body }) => tellBody(body)).join(', '),
  Math.round(Math.max(...answers.map(({ durationMs }) => durationMs))),
];

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

const shown = (ms: number): string => ms.toFixed(1);

/** Gathers answers and tells them at the end: one by one when they are few, else by what was sent and answered. */
export const createReport = () => {
  const kept: Simulation[] = [];
  const groups = new Map<string, { fault: FaultName; says: string; statuses: string; isGood: boolean; ms: number[] }>();
  let unexpected = 0;
  return {
    add: (simulation: Simulation): void => {
      const { fault, says, answers, asExpected } = simulation;
      if (kept.length <= listedEvents) kept.push(simulation);
      if (!asExpected) unexpected += 1;
      const statuses = answers.map(({ status }) => status).join(', ');
      const key = `${fault} ${statuses} ${asExpected}`;
      const group = groups.get(key) ?? { fault, says, statuses, isGood: asExpected, ms: [] };
      group.ms.push(...answers.map(({ durationMs }) => durationMs));
      groups.set(key, group);
    },
    /** How many were not answered as documented. */
    unexpected: (): number => unexpected,
    print: (): void => {
      if (kept.length <= listedEvents)
        return printTable(['', 'fault', 'what was sent', 'answers', 'with', 'ms'], kept.map(rowOf));
      const rows = [...groups.values()].map(({ fault, says, statuses, isGood, ms }) => {
        const sorted = ms.toSorted((a, b) => a - b);
        const times = [quantile(sorted, 0.5), quantile(sorted, 0.99), sorted.at(-1) ?? 0].map(shown);
        return [isGood ? 'ok' : 'NOT OK', fault, says, statuses, sorted.length, ...times];
      });
      return printTable(['', 'fault', 'what was sent', 'answers', 'requests', 'p50 ms', 'p99 ms', 'longest'], rows);
    },
  };
};

/** One answer as a line of JSON, for scripts. */
export const printJsonLine = (simulation: Simulation): void => printLine(JSON.stringify(simulation));
