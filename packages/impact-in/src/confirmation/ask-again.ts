import { jobChannel, newId, type Sql } from '@impact-hub/core';
import { confirmReceiptJob } from '../inbox/store-receipts.ts';

/** A connection made meanwhile is used within this time. */
const pauseSeconds = 900;
/** After that an event stays in quarantine, for people to look at. */
const patienceDays = 30;
const atOnce = 500;

/**
 * Puts questions that have no answer yet to the partners' APIs once more, those of the companies in turns. Twice is
 * harmless.
 */
export const askAgain = async (sql: Sql): Promise<void> => {
  const waiting = await sql<{ receipt_id: string; company_id: string }[]>`
    select receipt_id, company_id from (
      select receipt_id, company_id, updated_at, row_number() over (partition by company_id order by updated_at) as turn
      from impact_in_confirmation c
      where state = 'waiting' and updated_at < now() - make_interval(secs => ${pauseSeconds})
        and created_at > now() - make_interval(days => ${patienceDays})
        and not exists (
          select from job j where j.queue = ${confirmReceiptJob} and j.payload ->> 'receiptId' = c.receipt_id::text)
    ) due order by turn, updated_at limit ${atOnce}`;
  if (waiting.length === 0) return;
  await sql`
    insert into job (id, company_id, queue, payload)
    select n.id, n.company_id, ${confirmReceiptJob}, jsonb_build_object('receiptId', n.receipt_id)
    from unnest(${waiting.map(() => newId())}::uuid[], ${waiting.map((row) => row.company_id)}::uuid[],
                ${waiting.map((row) => row.receipt_id)}::uuid[]) as n (id, company_id, receipt_id)`;
  await sql`select pg_notify(${jobChannel}, '')`;
};
