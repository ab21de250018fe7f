import type { Breakers, Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import { asc, eq } from 'drizzle-orm';
import { readCircuits } from '../connections/circuit.ts';
import { exchangeContext, outboundPurpose } from '../sending/outbound-event.ts';
import type { Exchange } from '../sending/redact-exchange.ts';
import { impactInConnection, impactInOutbound, impactInOutboundAttempt, type OutboundAttemptRow } from '../tables.ts';
import { heldOf, type Held } from './held-by.ts';

export type SendingFacts = Held & {
  connectionId: string;
  transactionId: string;
  partnerTransactionId: string | null;
  nextAttemptAt: Date | null;
};

export type OutboundAttempt = Omit<OutboundAttemptRow, 'companyId' | 'deliveryId' | 'sealed'> & {
  exchange: Exchange | null;
};

type Found = { sending: SendingFacts; attempts: (OutboundAttemptRow & { isPresent: boolean })[] };

/**
 * What is known of the sending of an outbound delivery; undefined for any other.
 *
 * @param nowMs of the Unix clock
 */
export const findSending = async (
  tx: Tx,
  breakers: Pick<Breakers, 'list'>,
  deliveryId: string,
  nowMs: number,
): Promise<Found | undefined> => {
  const [found] = await tx.orm
    .select({ row: impactInOutbound, connection: impactInConnection })
    .from(impactInOutbound)
    .innerJoin(impactInConnection, eq(impactInConnection.id, impactInOutbound.connectionId))
    .where(eq(impactInOutbound.deliveryId, deliveryId));
  if (found === undefined) return undefined;
  const { row, connection } = found;
  const held = heldOf(row, connection, readCircuits(breakers, nowMs)(connection), nowMs);
  const attempts = await tx.orm
    .select()
    .from(impactInOutboundAttempt)
    .where(eq(impactInOutboundAttempt.deliveryId, deliveryId))
    .orderBy(asc(impactInOutboundAttempt.number));
  const { connectionId, transactionId, partnerTransactionId, state, dueAt } = row;
  return {
    sending: {
      connectionId,
      transactionId,
      partnerTransactionId,
      nextAttemptAt: state === 'waiting' ? dueAt : null,
      ...held,
    },
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
