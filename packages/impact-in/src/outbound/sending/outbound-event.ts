import type { Crypto } from '@impact-hub/crypto';
import type { OutboundEvent } from '../impact-event.ts';

/** Purpose of the data key (packages/crypto) for events and for the log of attempts. */
export const outboundPurpose = 'impact_in.outbound';

/** Binds the sealed exchange of an attempt to its row; that of an event is the delivery's id alone. */
export const exchangeContext = (deliveryId: string, number: number): string => `${deliveryId}/${number}`;

type Kept = Omit<OutboundEvent, 'deliveryId'>;

export const eventBytes = (event: Kept): Buffer => Buffer.from(JSON.stringify(event));

/** Opens a kept event. @throws DecryptionFailed */
export const openEvent = async (
  crypto: Crypto,
  from: { companyId: string; deliveryId: string; sealed: Uint8Array },
): Promise<OutboundEvent> => {
  const { companyId, deliveryId, sealed } = from;
  const bytes = await crypto.unseal({ companyId, purpose: outboundPurpose, context: deliveryId, sealed });
  return { ...(JSON.parse(bytes.toString('utf8')) as Kept), deliveryId };
};
