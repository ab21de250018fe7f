import { connectSql, type Sql } from '@impact-hub/core';
import { ownerUrlOf, type Installation } from './chaos-installation.ts';

/** What the API has shown of all companies together. */
export type Seen = { receipts: number; deliveries: number; audits: number };

const counts = {
  receipts: (sql: Sql) => sql`select count(*)::int as n from impact_in_receipt`,
  deliveries: (sql: Sql) => sql`select count(*)::int as n from impact_in_delivery`,
  audits: (sql: Sql) => sql`select count(*)::int as n from audit_event where type = 'impact_in.event.processed'`,
  fresh: (sql: Sql) => sql`select count(*)::int as n from impact_in_receipt where outcome = 'accepted'`,
  dedupe: (sql: Sql) => sql`select count(*)::int as n from impact_in_dedupe`,
} as const;

/** Each finds none. */
const forbidden: Record<string, (sql: Sql) => PromiseLike<readonly { id: string }[]>> = {
  'was processed twice': (sql) => sql`
    select delivery_id as id from impact_in_attempt where result = 'success'
    group by delivery_id, replay_id having count(*) > 1`,
  'has more or fewer attempts than its log': (sql) => sql`
    select d.id from impact_in_delivery d
    left join (select delivery_id, count(*) as n from impact_in_attempt group by 1) a on a.delivery_id = d.id
    where d.direction = 'inbound' and d.attempts <> coalesce(a.n, 0)`,
  'was sent more or less often than its log says': (sql) => sql`
    select d.id from impact_in_delivery d
    left join (select delivery_id, count(*) as n from impact_in_outbound_attempt group by 1) a on a.delivery_id = d.id
    where d.direction = 'outbound' and d.attempts <> coalesce(a.n, 0)`,
  'was audited twice for one replay': (sql) => sql`
    select resource_id as id from audit_event where type = 'impact_in.delivery.replayed'
    group by resource_id, convert_from(body, 'utf8')::jsonb -> 'metadata' ->> 'replayId' having count(*) > 1`,
  // One whose process was killed is noted as lost by the next one; there is none after the partner's own webhook.
  'has an attempt that never ended': (sql) => sql`
    select d.id from impact_in_outbound_attempt a join impact_in_delivery d on d.id = a.delivery_id
    where a.result = 'started' and d.settled_by is null`,
};

/** What the API does not show: left-over jobs, second successful attempts, rows that no answer of the API contained. */
export const lookBehind = async (hub: Installation, seen: Seen): Promise<string[]> => {
  const sql = connectSql(await ownerUrlOf(hub), { maxConnections: 1, applicationName: 'chaos-recount' });
  try {
    const jobs = await sql<{ id: string; queue: string; state: string; error: string | null }[]>`
      select id, queue, state, last_error as error from job`;
    const wrong = jobs.map((job) => `job ${job.id} of ${job.queue} is still ${job.state}: ${job.error ?? 'no error'}`);
    const count = async (what: keyof typeof counts): Promise<number> =>
      ((await counts[what](sql)) as unknown as { n: number }[])[0]?.n ?? 0;
    const expect = async (what: keyof typeof counts, expected: number): Promise<void> => {
      const actual = await count(what);
      if (actual !== expected) wrong.push(`the database holds ${actual} ${what}, expected ${expected}`);
    };
    await expect('receipts', seen.receipts);
    await expect('deliveries', seen.deliveries);
    await expect('audits', seen.audits);
    await expect('dedupe', await count('fresh'));
    for (const [what, find] of Object.entries(forbidden))
      for (const { id } of await find(sql)) wrong.push(`${id} ${what}`);
    return wrong;
  } finally {
    await sql.end({ timeout: 2 });
  }
};
