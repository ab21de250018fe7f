import type { Breakers } from '@impact-hub/core';
import { breakerNameOf } from '../sending/breaker-name.ts';
import type { ConnectionRow } from '../tables.ts';

export type ConnectionCircuit = {
  /** Name of the breaker. */
  name: string;
  state: 'closed' | 'open' | 'half_open';
  /** When an open one lets a call through again. */
  retryAt: Date | null;
};

type Identity = Pick<ConnectionRow, 'api' | 'id'>;

/** The circuit of a connection that has had no trouble, or was changed just now. */
export const closedCircuit = (connection: Identity): ConnectionCircuit => ({
  name: breakerNameOf(connection),
  state: 'closed',
  retryAt: null,
});

/**
 * Looks at the circuits as they are now; one that no process has told of is closed.
 *
 * @param nowMs of the Unix clock
 */
export const readCircuits = (
  breakers: Pick<Breakers, 'list'>,
  nowMs: number,
): ((connection: Identity) => ConnectionCircuit) => {
  const views = new Map(breakers.list().map((view) => [view.name, view]));
  return (connection) => {
    const closed = closedCircuit(connection);
    const view = views.get(closed.name);
    if (view === undefined) return closed;
    return {
      ...closed,
      state: view.state,
      retryAt: view.state === 'open' ? new Date(nowMs + view.retryAfterMs) : null,
    };
  };
};
