import type { ConnectionCircuit } from '../connections/circuit.ts';
import type { ConnectionRow, OutboundRow } from '../tables.ts';

export const holdingReasons = ['paused', 'circuit', 'rate'] as const;

export type Held = {
  /** Why what is due is not sent; `rate` stands for a pause the partner asked for, too. */
  heldBy: (typeof holdingReasons)[number] | null;
  /** Null when nothing holds it, or somebody has to act. */
  heldUntil: Date | null;
};

const free: Held = { heldBy: null, heldUntil: null };

/**
 * What keeps a delivery from being sent when its time has come.
 *
 * @param nowMs of the Unix clock
 */
export const heldOf = (
  { state, dueAt }: Pick<OutboundRow, 'state' | 'dueAt'>,
  connection: Pick<ConnectionRow, 'state' | 'nextCallAt'>,
  circuit: ConnectionCircuit,
  nowMs: number,
): Held => {
  if (state !== 'waiting') return free;
  if (connection.state !== 'active') return { heldBy: 'paused', heldUntil: null };
  const untilMs = Math.max(connection.nextCallAt.getTime(), circuit.retryAt?.getTime() ?? 0);
  if (untilMs <= Math.max(nowMs, dueAt.getTime())) return free;
  return { heldBy: circuit.state === 'closed' ? 'rate' : 'circuit', heldUntil: new Date(untilMs) };
};
