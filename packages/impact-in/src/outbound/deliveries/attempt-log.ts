import type { Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import { asc, eq } from 'drizzle-orm';
import { exchangeContext, outboundPurpose } from '../sending/outbound-event.ts';
import type { Exchange } from '../sending/redact-exchange.ts';
import { impactInOutbound, impactInOutboundAttempt, type OutboundAttemptRow } from '../tables.ts';

export type SendingFacts = {
  connectionId: string;
  transactionId: string;
  partnerTransactionId: string | null;
  nextAttemptAt: Date | null;
};

export type OutboundAttempt = Omit<OutboundAttemptRow, 'companyId' | 'deliveryId' | 'sealed'> & {
  exchange: Exchange | null;
};

type Found = { sending: SendingFacts; attempts: (OutboundAttemptRow & { isPresent: boolean })[] };

/** What is known of the sending of an outbound delivery; undefined for any other. */
export const findSending = async (tx: Tx, deliveryId: string): Promise<Found | undefined> => {
  const [row] = await tx.orm.select().from(impactInOutbound).where(eq(impactInOutbound.deliveryId, deliveryId));
  if (row === undefined) return undefined;
  const attempts = await tx.orm
    .select()
    .from(impactInOutboundAttempt)
    .where(eq(impactInOutboundAttempt.deliveryId, deliveryId))
    .orderBy(asc(impactInOutboundAttempt.number));
  const { connectionId, transactionId, partnerTransactionId, state, dueAt } = row;
  const nowMs = Date.now();
  return {
    sending: { connectionId, transactionId, partnerTransactionId, nextAttemptAt: state === 'waiting' ? dueAt : null },
    attempts: attempts.map((attempt, index) => ({
      ...attempt,
      isPresent: state === 'sending' && index === attempts.length - 1 && dueAt.getTime() > nowMs,
    })),
  };
};

/** An exchange whose key is gone, as after erasure, is simply not there any more. */
const openExchange = async (
  crypto: Crypto,
  { companyId, deliveryId, number, sealed }: OutboundAttemptRow,
): Promise<Exchange | null> => {
  if (sealed === null) return null;
  const context = exchangeContext(deliveryId, number);
  return crypto.unseal({ companyId, purpose: outboundPurpose, context, sealed }).then(
    (bytes) => JSON.parse(bytes.toString('utf8')) as Exchange,
    () => null,
  );
};

/**
 * The log as it is shown, exchanges opened; call it outside of transactions. An attempt that was begun and that nobody
 * is at any more is unknown: whether the partner got it cannot be said.
 */
export const showAttempts = (crypto: Crypto, { attempts }: Found): Promise<OutboundAttempt[]> =>
  Promise.all(
    attempts.map(async (attempt) => {
      const { companyId: _company, deliveryId: _delivery, sealed: _sealed, isPresent, ...shown } = attempt;
      const result = shown.result === 'started' && !isPresent ? 'unknown' : shown.result;
      return { ...shown, result, exchange: await openExchange(crypto, attempt) };
    }),
  );
