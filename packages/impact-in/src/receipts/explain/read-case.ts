import type { Tx } from '@impact-hub/core';
import { and, desc, eq, ne, sql } from 'drizzle-orm';
import {
  findReceipt,
  findSealedReceipts,
  type ReceiptSummary,
  type SealedReceipt,
} from '../../deliveries/receipt-repository.ts';
import { findReverification, type Reverification } from '../reverify/find-reverification.ts';
import { impactInEndpoint, impactInEndpointSecret, type EndpointRow, type SecretRow } from '../../tables.ts';

export type OtherSecret = Pick<SecretRow, 'id' | 'ciphertext'> & { endpointId: string; endpointName: string };

/** Everything stored that bears on what became of a receipt. */
export type ReceiptCase = {
  receipt: ReceiptSummary;
  /** Undefined for repeated events, whose bytes are those of the original. */
  sealed: SealedReceipt | undefined;
  original: ReceiptSummary | undefined;
  sealedOriginal: SealedReceipt | undefined;
  /** What became of it when it was verified again. */
  reverification: Reverification | undefined;
  endpoint: EndpointRow | undefined;
  /** Of the endpoint, newest first, ended ones included. */
  secrets: SecretRow[];
  /** Valid ones of the company's other endpoints. */
  otherSecrets: OtherSecret[];
};

/** More than rotations leave within the time that receipts are kept. */
const maxSecrets = 12;
const maxOtherSecrets = 40;

const readOtherSecrets = (tx: Tx, endpoint: EndpointRow): Promise<OtherSecret[]> =>
  tx.orm
    .select({
      id: impactInEndpointSecret.id,
      ciphertext: impactInEndpointSecret.ciphertext,
      endpointId: impactInEndpoint.id,
      endpointName: impactInEndpoint.name,
    })
    .from(impactInEndpointSecret)
    .innerJoin(impactInEndpoint, eq(impactInEndpoint.id, impactInEndpointSecret.endpointId))
    .where(
      and(
        eq(impactInEndpoint.companyId, tx.companyId ?? ''),
        ne(impactInEndpoint.id, endpoint.id),
        eq(impactInEndpointSecret.kind, 'webhook_secret'),
        eq(impactInEndpointSecret.state, 'active'),
      ),
    )
    .orderBy(desc(sql`${impactInEndpoint.partner} = ${endpoint.partner}`), desc(impactInEndpointSecret.createdAt))
    .limit(maxOtherSecrets);

/** Undefined when the company has no such receipt. */
export const readCase = async (tx: Tx, id: string): Promise<ReceiptCase | undefined> => {
  const receipt = await findReceipt(tx, id);
  if (receipt === undefined) return undefined;
  const { originalId } = receipt;
  const original = originalId === null ? undefined : await findReceipt(tx, originalId);
  const sealed = await findSealedReceipts(tx, originalId === null ? [id] : [id, originalId]);
  const [endpoint] = await tx.orm.select().from(impactInEndpoint).where(eq(impactInEndpoint.id, receipt.endpointId));
  const secrets = await tx.orm
    .select()
    .from(impactInEndpointSecret)
    .where(eq(impactInEndpointSecret.endpointId, receipt.endpointId))
    .orderBy(desc(impactInEndpointSecret.createdAt), desc(impactInEndpointSecret.id))
    .limit(maxSecrets);
  return {
    receipt,
    original,
    sealed: sealed.find((one) => one.id === id),
    sealedOriginal: sealed.find((one) => one.id === originalId),
    reverification: await findReverification(tx, id),
    endpoint,
    secrets,
    otherSecrets: endpoint === undefined ? [] : await readOtherSecrets(tx, endpoint),
  };
};
