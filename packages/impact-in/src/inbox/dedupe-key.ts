import { createHash } from 'node:crypto';

export const sha256 = (...parts: readonly (string | Buffer)[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** What an event is recognised by: its id, else its bytes. @returns 32 bytes */
export const dedupeKeyOf = (eventId: string | null, bodySha256: Buffer): Buffer =>
  eventId === null ? bodySha256 : sha256('event id ', eventId);
