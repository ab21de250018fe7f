import type { Tx } from '../database/transaction.ts';
import type { Job } from '../module/define-job.ts';
import { enqueueJob } from './enqueue-job.ts';

/** Which jobs react to which event: the composition's table, so that no domain imports its listeners. */
export type EventRoutes = Readonly<Record<string, readonly Pick<Job<never, never>, 'name' | 'payload'>[]>>;

export type DomainEvent = { type: string; payload: Record<string, unknown>; companyId?: string | null };

export type Outbox = {
  /** Writes one job per listener into the caller's transaction. An event without listeners costs nothing. */
  publish(tx: Tx, event: DomainEvent): Promise<void>;
};

/** Makes the outbox over a table of listeners. */
export const createOutbox = (routes: EventRoutes): Outbox => ({
  publish: async (tx, event) => {
    for (const job of routes[event.type] ?? [])
      await enqueueJob(
        tx,
        job,
        event.payload as never,
        event.companyId === undefined ? {} : { companyId: event.companyId },
      );
  },
});
