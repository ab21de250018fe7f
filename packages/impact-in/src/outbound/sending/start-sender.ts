import type { SendingDeps } from '../outbound-deps.ts';
import { findDue, type DueConnection } from './find-due.ts';
import { sendCall } from './send-call.ts';

/** Channel on which a transaction with new deliveries wakes the senders at its commit. */
export const outboundChannel = 'hub_impact_in_outbound';

export type SenderOptions = {
  /** Calls under way at once in this process, in all, for one company and for one connection. */
  maxCalls: number;
  maxCallsPerCompany: number;
  maxCallsPerConnection: number;
  sweepIntervalMs: number;
};

/** A partner that hangs, or a company whose partners do, must leave calls to the others. */
const defaults: SenderOptions = {
  maxCalls: 64,
  maxCallsPerCompany: 8,
  maxCallsPerConnection: 4,
  sweepIntervalMs: 1_000,
};

/** How many are under way, by name. */
const createCounts = () => {
  const counts = new Map<string, number>();
  const of = (name: string): number => counts.get(name) ?? 0;
  return {
    of,
    names: (): string[] => [...counts.keys()],
    add: (name: string, by: 1 | -1): void => {
      const count = of(name) + by;
      if (count === 0) counts.delete(name);
      else counts.set(name, count);
    },
  };
};

/** Calls one lane makes before others have their turn. */
const callsPerTurn = 10;

/** How long calls under way may go on when the process ends; what is broken off is repeated with the same key. */
const patienceMs = 10_000;

/** Not earlier than that is looked again, however soon a connection may be called. */
const minWaitMs = 20;

/**
 * Sends what is due as long as the process lives. Woken by NOTIFY and by the end of rates and pauses; a sweep each
 * second is the truth. Any number of processes may do so: claims in Postgres keep them apart.
 */
export const startSender = async (
  deps: SendingDeps,
  options: Partial<SenderOptions> = {},
): Promise<{ stop(): Promise<void> }> => {
  const limits = { ...defaults, ...options };
  const { db, outbound } = deps;
  const abort = new AbortController();
  const abandon = new AbortController();
  const companies = createCounts();
  const connections = createCounts();
  const running = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let lookAgain = false;

  const drive = async (target: DueConnection): Promise<void> => {
    for (let calls = 0; calls < callsPerTurn && !abort.signal.aborted; calls += 1)
      if ((await sendCall(deps, target, abandon.signal)) === 0) return;
  };
  const isFull = (companyId: string): boolean => companies.of(companyId) >= limits.maxCallsPerCompany;
  const isBusy = (connectionId: string): boolean => connections.of(connectionId) >= limits.maxCallsPerConnection;
  const mayOpen = ({ companyId, connectionId }: DueConnection): boolean =>
    running.size < limits.maxCalls && !isFull(companyId) && !isBusy(connectionId) && !abort.signal.aborted;
  const open = (target: DueConnection): void => {
    companies.add(target.companyId, 1);
    connections.add(target.connectionId, 1);
    const close = (): void => {
      companies.add(target.companyId, -1);
      connections.add(target.connectionId, -1);
      running.delete(lane);
    };
    // After a failure, which is the database's, the sweep is soon enough.
    const lane = drive(target)
      .then(() => {
        close();
        wake();
      })
      .catch((error: unknown) => {
        close();
        outbound.onError('impact_in.sending_failed')(error);
      });
    running.add(lane);
  };

  const look = async (): Promise<void> => {
    if (running.size >= limits.maxCalls) return;
    const busy = [...companies.names().filter(isFull), ...connections.names().filter(isBusy)];
    const due = await findDue(db.systemSql, busy);
    for (const target of due)
      if (target.waitMs > 0) outbound.metrics.waited(target.api, 'rate');
      else if (mayOpen(target)) open(target);
    const next = Math.min(limits.sweepIntervalMs, ...due.map(({ waitMs }) => waitMs).filter((waitMs) => waitMs > 0));
    clearTimeout(timer);
    if (!abort.signal.aborted) timer = setTimeout(wake, Math.max(next, minWaitMs));
  };
  const wake = (): void => {
    if (abort.signal.aborted) return;
    lookAgain = true;
    looking ??= (async () => {
      while (lookAgain && !abort.signal.aborted) {
        lookAgain = false;
        await look().catch(outbound.onError('impact_in.sender_failed'));
      }
      looking = undefined;
    })();
  };

  const sweep = setInterval(wake, limits.sweepIntervalMs);
  const listener = await db.systemSql.listen(outboundChannel, wake);
  wake();
  return {
    stop: async () => {
      abort.abort();
      clearInterval(sweep);
      clearTimeout(timer);
      await listener.unlisten().catch(() => undefined);
      await looking;
      const giveUp = setTimeout(() => abandon.abort(), patienceMs);
      await Promise.all(running);
      clearTimeout(giveUp);
    },
  };
};
