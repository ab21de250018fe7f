import { jobDefiner } from '@impact-hub/core';
import { z } from 'zod';
import { confirmReceipt } from './confirmation/confirm-receipt.ts';
import { processReceipt, processReceipts } from './deliveries/process-receipt.ts';
import { recordFailure } from './deliveries/record-failure.ts';
import { reportConflict } from './deliveries/report-conflict.ts';
import type { ImpactInDeps } from './deps.ts';
import { confirmReceiptJob, processReceiptJob, reportConflictJob } from './inbox/store-receipts.ts';

const defineJob = jobDefiner<ImpactInDeps>();

/** Low, because opening a receipt of a company whose key is not in memory takes a second connection for a moment. */
const concurrency = 4;

/** Beyond some hundred the statements cost no less per event, and locks of entities are a shared good of the database. */
const batchSize = 100;

const process = defineJob({
  name: processReceiptJob,
  payload: z.object({ receiptId: z.uuid() }),
  concurrency,
  handler: ({ payload, deps, tx }) => processReceipt(tx, deps, payload.receiptId),
  batch: {
    size: batchSize,
    handler: async ({ jobs: batch, deps, tx }) => {
      const failures = await processReceipts(
        tx,
        deps,
        batch.map(({ payload }) => payload.receiptId),
      );
      return batch.flatMap(({ jobId, payload: { receiptId } }) =>
        failures.has(receiptId) ? [{ jobId, error: failures.get(receiptId) }] : [],
      );
    },
  },
  onFailure: ({ payload, deps, tx, error, willRetry }) =>
    recordFailure(tx, deps, { receiptId: payload.receiptId, error, willRetry }),
});

const conflict = defineJob({
  name: reportConflictJob,
  payload: z.object({ receiptId: z.uuid(), originalId: z.uuid() }),
  concurrency,
  handler: ({ payload, deps, tx }) => reportConflict(tx, deps, payload),
});

/** Each holds a connection while the partner’s API thinks, which `outbound/confirm-event.ts` lets it for five seconds. */
const confirmationConcurrency = 2;

const confirm = defineJob({
  name: confirmReceiptJob,
  payload: z.object({ receiptId: z.uuid() }),
  concurrency: confirmationConcurrency,
  handler: ({ payload, deps, tx }) => confirmReceipt(tx, deps, payload.receiptId),
});

export const jobs = [process, conflict, confirm];
