import type { Sealer } from '@impact-hub/crypto';

/** What a receipt keeps of the request, besides its columns. */
export type KeptRequest = {
  ip: string;
  /** `[name, value, name, value, …]` as received; credentials that need no verification later are blanked. */
  rawHeaders: string[];
  body: Buffer;
};

/** Signature headers stay: they are needed to verify again. Bearer tokens and cookies could be used by whoever reads them. */
const blankedHeaders = new Set(['authorization', 'proxy-authorization', 'cookie', 'x-api-key', 'x-webhook-token']);

const blank = (rawHeaders: readonly string[]): string[] =>
  rawHeaders.map((text, index) =>
    index % 2 === 1 && blankedHeaders.has(rawHeaders[index - 1]?.toLowerCase() ?? '') ? '[removed]' : text,
  );

const lengthBytes = 4;

/** Encrypts address, headers and raw body as one message: length of the head, head as JSON, body. */
export const sealRequest = (
  sealer: Sealer,
  receiptId: string,
  request: { ip: string; rawHeaders: readonly string[]; body: Buffer },
): Buffer => {
  const head = Buffer.from(JSON.stringify({ ip: request.ip, rawHeaders: blank(request.rawHeaders) }));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(head.length);
  return sealer.seal(receiptId, Buffer.concat([length, head, request.body]));
};

/** Reads what `sealRequest` sealed, after it has been unsealed. @throws RangeError or SyntaxError on anything else */
export const readKeptRequest = (plaintext: Buffer): KeptRequest => {
  const bodyStart = lengthBytes + plaintext.readUInt32BE(0);
  const head = JSON.parse(plaintext.toString('utf8', lengthBytes, bodyStart)) as { ip?: string; rawHeaders: string[] };
  // A sender that hung up before its request was looked at has no address any more.
  return { ip: 'unknown', ...head, body: plaintext.subarray(bodyStart) };
};
