import type { Tx } from '../database/transaction.ts';
import type { Job } from '../module/define-job.ts';
import { enqueueJobs } from './enqueue-job.ts';

/** Which jobs react to which event: the composition's table, so that no domain imports its listeners. */
export type EventRoutes = Readonly<Record<string, readonly Pick<Job<never, never>, 'name' | 'payload'>[]>>;

export type DomainEvent = { type: string; payload: Record<string, unknown>; companyId?: string | null };

export type Outbox = {
  /** Writes one job per listener into the caller's transaction. An event without listeners costs nothing. */
  publish(tx: Tx, event: DomainEvent): Promise<void>;
  /** The same for many events of one type and of the transaction's company. */
  publishAll(tx: Tx, type: string, payloads: readonly DomainEvent['payload'][]): Promise<void>;
};

/** Makes the outbox over a table of listeners. */
export const createOutbox = (routes: EventRoutes): Outbox => {
  return {
    publish: async (tx, event) => {
      const { companyId } = event;
      for (const job of routes[event.type] ?? [])
        await enqueueJobs(tx, job, [event.payload as never], companyId === undefined ? {} : { companyId });
    },
    publishAll: async (tx, type, payloads) => {
      for (const job of routes[type] ?? []) await enqueueJobs(tx, job, payloads as never[]);
    },
  };
};
