import type { Sql } from '@impact-hub/core';
import type { SendTarget } from './send-call.ts';

export type DueConnection = SendTarget & {
  api: string;
  /** Until its rate, or a pause, lets it be called, in ms. */
  waitMs: number;
};

/** Those called longest ago come first. */
const limit = 256;

/**
 * The connections that have something due, across companies. Goes from connection to connection through the index, so
 * that the length of a backlog does not matter.
 *
 * @param busy ids of connections, and of companies all of whose connections are left out: they have their share already
 */
export const findDue = (sql: Sql, busy: readonly string[] = []): Promise<DueConnection[]> => sql<DueConnection[]>`
  with recursive pending as (
    (select connection_id from impact_in_outbound where state <> 'done' order by connection_id limit 1)
    union all
    select (select o.connection_id from impact_in_outbound o
            where o.state <> 'done' and o.connection_id > pending.connection_id order by o.connection_id limit 1)
    from pending where pending.connection_id is not null
  )
  select c.id as "connectionId", c.company_id as "companyId", c.api,
         greatest(extract(epoch from c.next_call_at - now()) * 1000, 0)::float8 as "waitMs"
  from pending join impact_in_connection c on c.id = pending.connection_id
  where c.state = 'active' and c.id <> all(${busy as string[]}::uuid[])
    and c.company_id <> all(${busy as string[]}::uuid[]) and exists (
    select from impact_in_outbound o where o.connection_id = c.id and o.state <> 'done' and o.due_at <= now())
  order by c.next_call_at limit ${limit}`;
