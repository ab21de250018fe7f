import { createHash } from 'node:crypto';

const leafPrefix = Buffer.from([0]);

/** The Merkle leaf hash of an event: SHA-256(0x00 ‖ body), RFC 6962 section 2.1. */
export const leafHash = (body: Uint8Array): Buffer => createHash('sha256').update(leafPrefix).update(body).digest();
