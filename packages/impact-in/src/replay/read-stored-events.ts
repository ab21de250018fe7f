import type { Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import { findSealedReceipts, type SealedReceipt } from '../deliveries/receipt-repository.ts';
import { receiptPurpose } from '../endpoints/endpoint.ts';
import { readKeptRequest } from '../inbox/seal-request.ts';
import { partnerOf } from '../partners/partner-of.ts';
import type { PartnerEvent } from '../partners/partner.ts';
import { readEvent } from '../partners/read-event.ts';
import { pauseEvery } from '../receipts/pause-every.ts';

/** Of requests that are opened and read without a pause, at worst some 10 ms. */
const bytesPerTurn = 131_072;

/** What the stored bytes of a receipt mean today; `reason` says why they mean nothing, and quotes none of them. */
export type StoredEvent = { id: string; event: PartnerEvent } | { id: string; reason: string };

const readOne = async (crypto: Crypto, companyId: string, receipt: SealedReceipt): Promise<StoredEvent> => {
  const { id, partner, sealed } = receipt;
  try {
    const opened = await crypto.unseal({ companyId, purpose: receiptPurpose, context: id, sealed });
    const read = readEvent(partnerOf[partner], readKeptRequest(opened).body);
    if (read.outcome === 'event') return { id, event: read.event };
    return { id, reason: `the stored body is no event of the partner: ${read.outcome}` };
  } catch (error) {
    // Anything else is trouble of the hub, not of this one receipt.
    if (!['DecryptionFailed', 'RangeError', 'SyntaxError'].includes((error as Error).name)) throw error;
    return { id, reason: `the stored request cannot be opened: ${(error as Error).name}` };
  }
};

/** Opens and reads the stored bytes of receipts again, those that are gone included, in the order given. */
export const readStoredEvents = async (
  tx: Tx,
  crypto: Crypto,
  receiptIds: readonly string[],
): Promise<StoredEvent[]> => {
  const found = new Map((await findSealedReceipts(tx, receiptIds)).map((receipt) => [receipt.id, receipt]));
  const read: StoredEvent[] = [];
  const pause = pauseEvery(bytesPerTurn);
  for (const id of receiptIds) {
    const receipt = found.get(id);
    if (receipt === undefined) read.push({ id, reason: 'its bytes are no longer stored' });
    else {
      await pause(receipt.sealed.length);
      read.push(await readOne(crypto, tx.companyId ?? '', receipt));
    }
  }
  return read;
};
