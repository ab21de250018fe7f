import { restartJobs, type Tx } from '@impact-hub/core';
import { z } from 'zod';
import { processReceiptJob } from '../inbox/store-receipts.ts';

const job = { name: processReceiptJob, payload: z.object({ receiptId: z.uuid() }) };

/**
 * Has receipts processed now by the one job that each of them has: the job's id is the receipt's. One that waits for its
 * next attempt, or was given up, goes on; one that is gone is made again; one that is under way is left alone.
 */
export const restartProcessing = (tx: Tx, receiptIds: readonly string[]): Promise<void> =>
  restartJobs(
    tx,
    job,
    receiptIds.map((receiptId) => ({ id: receiptId, payload: { receiptId } })),
  );
