import type { Tx } from '@impact-hub/core';
import { settleEntity, type Placed } from '../deliveries/settle-entity.ts';

/** What deliveries report on together. */
export type Entity = { partner: string; correlationId: string | null; entityKey: string };

const lockName = (tx: Tx, { partner, entityKey }: Entity): string => `${tx.companyId} ${partner} ${entityKey}`;

/** Takes the locks under which events of these entities are applied, in the one order that all transactions take them. */
export const lockEntities = async (tx: Tx, entities: readonly Entity[]): Promise<void> => {
  const names = entities.map((entity) => lockName(tx, entity));
  if (names.length === 0) return;
  await tx.sql`
    select pg_advisory_xact_lock(key) from (
      select distinct hashtextextended(name, 0) as key from unnest(${names}::text[]) as name order by key offset 0
    ) as keys`;
};

const selectEvents = async (tx: Tx, { partner, correlationId, entityKey }: Entity): Promise<Placed[]> => tx.sql<
  Placed[]
>`
  select id, reported as status, (extract(epoch from occurred_at) * 1000)::float8 as "occurredAtMs"
  from impact_in_delivery
  where company_id = ${tx.companyId} and correlation_id = ${correlationId} and partner = ${partner}
    and entity_key = ${entityKey} and direction = 'inbound' and processed_at is not null`;

/**
 * Gives all deliveries of the entities the status that they have when each event is applied once, oldest first. Needed
 * when an event turns out to mean something else than was applied; the entities must be locked.
 *
 * @returns ids of the deliveries that changed
 */
export const resettleEntities = async (tx: Tx, entities: readonly Entity[], now: Date): Promise<string[]> => {
  const distinct = [...new Map(entities.map((entity) => [JSON.stringify(Object.values(entity)), entity])).values()];
  const changed: string[] = [];
  for (const entity of distinct) {
    const { written } = settleEntity(undefined, [], await selectEvents(tx, entity));
    const placed = written.map(({ id, status, settledBy }) => ({ id, status, settledBy }));
    const rows = await tx.sql<{ id: string }[]>`
      update impact_in_delivery d set status = p.status, settled_by = p."settledBy", updated_at = ${now}
      from jsonb_to_recordset(${JSON.stringify(placed)}::text::jsonb) as p (id uuid, status text, "settledBy" uuid)
      where d.id = p.id and (d.status, d.settled_by) is distinct from (p.status, p."settledBy")
      returning d.id`;
    changed.push(...rows.map(({ id }) => id));
  }
  return changed;
};
