import { z } from 'zod';
import { requestInvalid } from '../problem/core-problems.ts';
import { integerInput } from './integer-input.ts';

/** The last row of a page: sort time in milliseconds and id, both needed because times can tie. */
export type Cursor = { atMs: number; id: string };

/** 9999-12-31T23:59:59.999Z: later times have no form that both a Date and Postgres read. */
const latestMs = 253_402_300_799_999;

const cursorShape = z.tuple([z.number().int().nonnegative().max(latestMs), z.uuid()]);

export const encodeCursor = (cursor: Cursor): string =>
  Buffer.from(JSON.stringify([cursor.atMs, cursor.id])).toString('base64url');

/**
 * @param pointer where the text stands in the request
 * @throws ProblemError `request.invalid` naming the field when the text was not made by `encodeCursor`
 */
export const decodeCursor = (text: string, pointer = '/query/cursor'): Cursor => {
  try {
    const [atMs, id] = cursorShape.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    return { atMs, id };
  } catch (cause) {
    throw requestInvalid({
      errors: [{ pointer, detail: 'Use the nextCursor of an earlier answer, unchanged.' }],
      cause,
    });
  }
};

/** Query fields shared by all lists: newest first, up to 200 rows a page. */
export const pageQuery = {
  limit: integerInput(1, 200).default(50).describe('Rows per page.'),
  cursor: z.string().max(200).optional().describe('`nextCursor` of the page before.'),
};

/** Cuts `limit + 1` fetched rows into a page and the cursor of the next one. */
export const toPage = <R>(
  rows: readonly R[],
  limit: number,
  cursorOf: (row: R) => Cursor,
): { data: R[]; nextCursor: string | null } => {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return { data, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(cursorOf(last)) : null };
};
