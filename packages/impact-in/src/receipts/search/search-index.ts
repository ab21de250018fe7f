import { randomBytes } from 'node:crypto';
import type { Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import { pauseEvery } from '../pause-every.ts';
import { readTerms, termOf } from './read-terms.ts';

/** Fields of payloads by which deliveries are found, as keyed hashes. */
export type SearchIndex = {
  /** Makes the fields of processed events searchable, of endpoints whose company has asked for it. */
  add(tx: Tx, events: readonly { deliveryId: string; endpointId: string; body: Buffer }[]): Promise<void>;
  /** What stands for the value in the index; null when the company has none. */
  find(tx: Tx, pointer: string, text: string): Promise<Buffer | null>;
  /** Makes the company's key, unless it has one. */
  makeKey(tx: Tx): Promise<void>;
  /** Reads the settings of an endpoint again. */
  forget(endpointId: string): void;
};

const keyPurpose = 'impact_in.search';
const keyContext = { table: 'impact_in_search_key', column: 'ciphertext' };

/** How long other processes go on by settings that have changed. */
const settingsForMs = 10_000;
const maxRemembered = 10_000;
/** Of JSON that is read without a pause; at worst some 10 ms. */
const bytesPerTurn = 131_072;

/** The one remembered first is forgotten when there are too many. */
const remember = <V>(map: Map<string, V>, name: string, value: V): V => {
  map.delete(name);
  map.set(name, value);
  if (map.size > maxRemembered) map.delete(map.keys().next().value ?? '');
  return value;
};

const readSettings = async (tx: Tx, endpointIds: readonly string[]): Promise<Map<string, string[]>> => {
  const rows = await tx.sql<{ id: string; fields: string[] }[]>`
    select endpoint_id as id, fields from impact_in_search_setting where endpoint_id = any(${[...endpointIds]}::uuid[])`;
  return new Map(rows.map(({ id, fields }) => [id, fields]));
};

export const createSearchIndex = (deps: { crypto: Crypto; nowMs(): number }): SearchIndex => {
  const keys = new Map<string, Buffer>();
  const settings = new Map<string, { fields: readonly string[]; atMs: number }>();

  const keyOf = async (tx: Tx): Promise<Buffer | null> => {
    const companyId = tx.companyId ?? '';
    const known = keys.get(companyId);
    if (known !== undefined) return known;
    const [row] = await tx.sql<{ ciphertext: string }[]>`
      select ciphertext from impact_in_search_key where company_id = ${companyId}`;
    if (row === undefined) return null;
    const context = { ...keyContext, row: companyId };
    const text = await deps.crypto.decrypt({ companyId, purpose: keyPurpose, context, ciphertext: row.ciphertext });
    return remember(keys, companyId, Buffer.from(text.toString('utf8'), 'base64'));
  };

  const fieldsOf = async (tx: Tx, endpointIds: ReadonlySet<string>): Promise<Map<string, readonly string[]>> => {
    const nowMs = deps.nowMs();
    const unknown = [...endpointIds].filter((id) => nowMs - (settings.get(id)?.atMs ?? -Infinity) >= settingsForMs);
    const read = unknown.length === 0 ? new Map<string, string[]>() : await readSettings(tx, unknown);
    for (const id of unknown) remember(settings, id, { fields: read.get(id) ?? [], atMs: nowMs });
    return new Map([...endpointIds].map((id) => [id, settings.get(id)?.fields ?? []]));
  };

  return {
    add: async (tx, events) => {
      const fields = await fieldsOf(tx, new Set(events.map(({ endpointId }) => endpointId)));
      const searchable = events.filter(({ endpointId }) => (fields.get(endpointId)?.length ?? 0) > 0);
      const key = searchable.length === 0 ? null : await keyOf(tx);
      if (key === null) return;
      const entries: { d: string; t: string }[] = [];
      const pause = pauseEvery(bytesPerTurn);
      for (const { deliveryId, endpointId, body } of searchable) {
        await pause(body.length);
        for (const term of readTerms(key, fields.get(endpointId) ?? [], body))
          entries.push({ d: deliveryId, t: term.toString('base64') });
      }
      if (entries.length === 0) return;
      await tx.sql`
        insert into impact_in_search_entry (company_id, term, delivery_id)
        select ${tx.companyId}::uuid, decode(t, 'base64'), d
        from jsonb_to_recordset(${JSON.stringify(entries)}::text::jsonb) as e (d uuid, t text)
        order by 2, 3 on conflict do nothing`;
    },
    find: async (tx, pointer, text) => {
      const key = await keyOf(tx);
      return key === null ? null : termOf(key, pointer, text);
    },
    makeKey: async (tx) => {
      if ((await keyOf(tx)) !== null) return;
      const companyId = tx.companyId ?? '';
      const context = { ...keyContext, row: companyId };
      const plaintext = Buffer.from(randomBytes(32).toString('base64'));
      const ciphertext = await deps.crypto.encrypt({ companyId, purpose: keyPurpose, context, plaintext });
      await tx.sql`
        insert into impact_in_search_key (company_id, ciphertext) values (${companyId}, ${ciphertext}) on conflict do nothing`;
    },
    forget: (endpointId) => void settings.delete(endpointId),
  };
};
