import type { Partner, PartnerEvent, PayloadIssue } from './partner.ts';

export type BodyRead =
  | { outcome: 'event'; event: PartnerEvent }
  | { outcome: 'not_json' }
  | { outcome: 'schema_mismatch'; issues: PayloadIssue[] };

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The JSON of a webhook, a mark of byte order before it left out; null when the body is not JSON in UTF-8. */
export const readJson = (body: Uint8Array): { value: unknown } | null => {
  try {
    return { value: JSON.parse(utf8.decode(body)) as unknown };
  } catch {
    return null;
  }
};

/** Reads the bytes of an authentic webhook. Never throws: what is not an event of the partner belongs in quarantine. */
export const readEvent = (partner: Partner, body: Uint8Array): BodyRead => {
  const json = readJson(body);
  if (json === null) return { outcome: 'not_json' };
  const read = partner.read(json.value);
  return read.matches ? { outcome: 'event', event: read.event } : { outcome: 'schema_mismatch', issues: read.issues };
};

/** Which account the body of a request to the bare route names; untrusted until the signature is verified. */
export const readAccountHint = (partner: Partner, body: Uint8Array): string | null => {
  const json = readJson(body);
  return json === null ? null : partner.accountHint(json.value);
};
