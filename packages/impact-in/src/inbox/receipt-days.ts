import type { Sql } from '@impact-hub/core';

/** A week, so that a weekend without a leader changes nothing; beyond it the DEFAULT partition takes the rows. */
const daysAhead = 7;

/** Makes the receipt partitions of today and the days ahead. @returns how many were made */
export const createReceiptDays = async (sql: Sql): Promise<number> => {
  const [row] = await sql<{ made: number }[]>`select impact_in_create_receipt_days(${daysAhead}) as made`;
  return row?.made ?? 0;
};
