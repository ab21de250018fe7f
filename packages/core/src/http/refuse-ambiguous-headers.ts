import type { IncomingMessage } from 'node:http';
import { expectationFailed, headersTooLarge, requestInvalid, uriTooLong } from '../problem/core-problems.ts';
import type { ProblemError } from '../problem/define-problem.ts';

/** Longest accepted address in bytes: what RFC 9110 §4.1 asks every server to support. */
export const maxUrlBytes = 8_000;
/** Browsers behind several proxies send some 40. */
export const maxHeaders = 100;

/**
 * Headers that mean one thing only. Node keeps the first of two or joins them with a comma, a proxy may keep the last:
 * whoever sends two gets to choose what each side believes.
 */
const singular = ['host', 'x-api-key', 'authorization', 'content-type', 'idempotency-key', 'x-company-id'];
const hostBit = 1 << singular.indexOf('host');

/** By length: looking names up by themselves would have a hash made of each, in every request. */
const singularByLength: { name: string; bit: number }[][] = Array.from(
  { length: 1 + Math.max(...singular.map(({ length }) => length)) },
  (_, length) => singular.flatMap((name, index) => (name.length === length ? [{ name, bit: 1 << index }] : [])),
);

/** The bit of a header that means one thing only, else 0. */
const bitOf = (sent: string): number => {
  const candidates = singularByLength[sent.length];
  if (candidates === undefined || candidates.length === 0) return 0;
  const lower = sent.toLowerCase();
  for (const { name, bit } of candidates) if (name === lower) return bit;
  return 0;
};

/** What Node itself answers with 100; HTTP/1.0 knows no expectations. */
const knownExpectation = /(?:^|\W)100-continue(?:$|\W)/i;

const invalidHeader = (name: string, detail: string): ProblemError =>
  requestInvalid({ detail: `${name}: ${detail}`, errors: [{ pointer: `/headers/${name}`, detail }] });

/** What is wrong with a request's head that Node's parser lets through; undefined when nothing is. */
export const judgeHead = (raw: IncomingMessage): ProblemError | undefined => {
  const {
    url = '',
    rawHeaders,
    headers: { expect },
  } = raw;
  if (url.length > maxUrlBytes) return uriTooLong();
  if (rawHeaders.length > 2 * maxHeaders) return headersTooLarge();
  if (expect !== undefined && raw.httpVersionMinor === 1 && !knownExpectation.test(expect)) return expectationFailed();
  let seen = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    const bit = bitOf(name);
    if ((seen & bit) !== 0) return invalidHeader(name.toLowerCase(), 'Send this header once.');
    seen |= bit;
  }
  if ((seen & hostBit) === 0 && raw.httpVersionMinor === 1) return invalidHeader('host', 'HTTP/1.1 needs this header.');
  return undefined;
};
