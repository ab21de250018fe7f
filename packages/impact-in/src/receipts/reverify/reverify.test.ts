import { newId } from '@impact-hub/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { post } from '../../replay/test-replays.ts';
import { eventOf, read, sendSigned, useTestHub } from '../../test-hub.ts';
import { keepQuarantined, keepRejected, signedRequest } from '../test-kept.ts';

type Result = {
  receiptId: string;
  result: string;
  reason: string | null;
  originalId: string | null;
  taken: string | null;
};
type Page = { dryRun: boolean; counts: Record<string, number>; data: Result[]; nextCursor: string | null };

const hub = await useTestHub();
const companyId = await hub.addCompany();
const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });

const eventNamed = (seed: string) => eventOf('benevity', seed);
/** Signed rightly, and refused at a time when the secret was not known here. */
const rejected = async (body: Buffer, reason = 'signature_mismatch'): Promise<string> =>
  (await keepRejected(hub, endpoint, signedRequest(endpoint, body), { reason })) ?? '';
const reverify = async (id: string, company = companyId): Promise<Result> => {
  const answer = await post(hub, company, `/receipts/${id}/reverify`);
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${answer.body}`);
  return answer.json<Result>();
};
const reverifyMany = async (body: object): Promise<Page> => {
  const answer = await post(hub, companyId, '/receipts/reverify', body);
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${answer.body}`);
  return answer.json<Page>();
};
const deliveriesOf = async (eventId: string) =>
  [...(await hub.owner<{ id: string }[]>`select id from impact_in_delivery where event_id = ${eventId}`)].map(
    ({ id }) => id,
  );
const receiptRowOf = async (id: string) => [...(await hub.owner`select * from impact_in_receipt where id = ${id}`)];

describe('a refused receipt', () => {
  test('whose secret is known by now becomes a delivery of its own id, and stays as it was written', async () => {
    const event = eventNamed('known by now');
    const id = await rejected(event.body);
    const before = await receiptRowOf(id);
    expect(await reverify(id)).toEqual({
      receiptId: id,
      result: 'accepted',
      reason: null,
      originalId: null,
      taken: null,
    });
    await hub.runJobs();
    expect(await deliveriesOf(event.eventId)).toEqual([id]);
    expect(await receiptRowOf(id)).toEqual(before);
    const audited = await hub.owner`
      select 1 from audit_event where type = 'impact_in.receipt.reverified' and resource_id = ${id} and actor_kind = 'api_key'`;
    expect(audited).toHaveLength(1);
  });

  test('is taken once, however often it is verified', async () => {
    const event = eventNamed('once');
    const id = await rejected(event.body);
    const results = await Promise.all(Array.from({ length: 6 }, () => reverify(id)));
    expect(results.map(({ result, taken }) => taken ?? result)).toEqual(results.map(() => 'accepted'));
    expect(results.filter(({ result }) => result === 'accepted')).toHaveLength(1);
    expect(results.filter(({ result }) => result === 'already_taken')).toHaveLength(5);
    expect(await hub.owner`select 1 from job where payload->>'receiptId' = ${id}`).toHaveLength(1);
    await hub.runJobs();
    expect(await deliveriesOf(event.eventId)).toEqual([id]);
  });

  test('that was too old at arrival stays refused, also under a tolerance that would allow it today', async () => {
    const patient = await hub.addEndpoint(companyId, { partner: 'benevity' });
    const event = eventNamed('replayed');
    const late = signedRequest(patient, event.body, { nowMs: Date.now() - 400_000 });
    const id = (await keepRejected(hub, patient, late)) ?? '';
    await hub.owner`update impact_in_endpoint set tolerance_seconds = 900 where id = ${patient.id}`;
    await hub.impactIn.deps.endpoints.reload(patient.id);
    expect(await reverify(id)).toMatchObject({ result: 'refused', reason: 'timestamp_too_old' });
    const disguised =
      (await keepRejected(hub, endpoint, signedRequest(endpoint, event.body, { nowMs: Date.now() - 400_000 }), {
        reason: 'signature_mismatch',
      })) ?? '';
    expect(await reverify(disguised)).toMatchObject({ result: 'refused', reason: 'timestamp_too_old' });
    await hub.runJobs();
    expect(await deliveriesOf(event.eventId)).toEqual([]);
  });

  test('stays refused without the whole body, without its credentials, with a secret that ended, and when forgotten events could come back', async () => {
    const long = { ...eventNamed('long').payload, filler: 'x'.repeat(20_000) };
    expect(await reverify(await rejected(Buffer.from(JSON.stringify(long))))).toMatchObject({ reason: 'body_cut' });
    const oauth = await hub.addEndpoint(companyId, { partner: 'workday', scheme: 'workday-oauth' });
    const withToken = {
      headers: [['Authorization', 'Bearer a.b.c'] as [string, string]],
      body: eventOf('workday', 'token').body,
    };
    const id = (await keepRejected(hub, oauth, withToken)) ?? '';
    expect(await reverify(id)).toMatchObject({ result: 'refused', reason: 'credentials_not_kept' });
    const wrong = signedRequest(endpoint, eventNamed('wrong').body, { secret: 'another secret' });
    expect(await reverify((await keepRejected(hub, endpoint, wrong)) ?? '')).toMatchObject({
      reason: 'signature_mismatch',
    });
    const { retention } = hub.impactIn.deps.records;
    const forgotten = await rejected(eventNamed('forgotten').body);
    retention.dedupe = 7;
    expect(await reverify(forgotten)).toMatchObject({ result: 'refused', reason: 'too_old' });
    retention.dedupe = 90;
    expect(await reverify(forgotten)).toMatchObject({ result: 'accepted' });
  });

  test('is a duplicate of a fresh copy that came meanwhile, and a conflict with one of other bytes', async () => {
    const event = eventNamed('meanwhile');
    const [same, other] = [
      await rejected(event.body),
      await rejected(Buffer.from(JSON.stringify({ ...event.payload, status: 'other' }))),
    ];
    const { receiptId } = (await sendSigned(hub, endpoint, event.body)).json<{ receiptId: string }>();
    expect(await reverify(same)).toMatchObject({ result: 'duplicate', originalId: receiptId });
    expect(await reverify(other)).toMatchObject({ result: 'conflict', originalId: receiptId });
    await hub.runJobs();
    expect(await deliveriesOf(event.eventId)).toEqual([receiptId]);
    const reported = await hub.owner`
      select 1 from audit_event where type = 'impact_in.receipt.conflict' and resource_id = ${other}`;
    expect(reported).toHaveLength(1);
  });

  test('is recognised by a copy that is sent after it was taken', async () => {
    const event = eventNamed('sent again');
    const id = await rejected(event.body);
    await reverify(id);
    expect((await sendSigned(hub, endpoint, event.body)).json()).toEqual({
      received: true,
      receiptId: id,
      duplicate: true,
    });
  });

  test('of another company is absent', async () => {
    const id = await rejected(eventNamed('foreign').body);
    const other = await hub.addCompany();
    const [theirs, nobodys] = [
      await post(hub, other, `/receipts/${id}/reverify`),
      await post(hub, other, `/receipts/${newId()}/reverify`),
    ];
    expect([theirs.statusCode, nobodys.statusCode]).toEqual([404, 404]);
    expect(await hub.owner`select 1 from impact_in_reverification where receipt_id = ${id}`).toHaveLength(0);
  });
});

describe('a quarantined receipt', () => {
  test('that can be read by now is processed', async () => {
    const event = eventNamed('readable');
    const id = await keepQuarantined(hub, endpoint, signedRequest(endpoint, event.body));
    expect(await reverify(id)).toMatchObject({ result: 'accepted' });
    await hub.runJobs();
    expect(await deliveriesOf(event.eventId)).toEqual([id]);
  });

  test('that can still not be read stays, with the places that differ', async () => {
    const body = Buffer.from(JSON.stringify({ ...eventNamed('unreadable').payload, event_type: 'something.else' }));
    const { receiptId } = (await sendSigned(hub, endpoint, body)).json<{ receiptId: string }>();
    const result = await reverify(receiptId);
    expect(result.result).toBe('refused');
    expect(result.reason).toContain('/event_type');
  });

  test('that nobody signed waits for its confirmation', async () => {
    const unsigned = await hub.addEndpoint(companyId, {
      partner: 'goodera',
      scheme: 'goodera-unsigned',
      acceptWeak: true,
      allowedNetworks: ['203.0.113.0/24'],
    });
    const id = await keepQuarantined(hub, unsigned, { headers: [], body: eventOf('goodera', 'unsigned').body });
    expect(await reverify(id)).toMatchObject({ result: 'awaiting_confirmation' });
    expect(await hub.owner`select queue from job where payload->>'receiptId' = ${id}`).toEqual([
      { queue: 'impact-in.confirm-receipt' },
    ]);
  });
});

describe('many at once', () => {
  test('go in pages that miss none, after a dry run that changes nothing', async () => {
    const place = await hub.addEndpoint(companyId, { partner: 'benevity' });
    const ids: string[] = [];
    for (let n = 0; n < 7; n += 1) {
      const request = signedRequest(place, eventNamed(`page ${n}`).body);
      ids.push((await keepRejected(hub, place, request, { reason: 'signature_mismatch' })) ?? '');
    }
    const window = { outcome: 'rejected', endpointId: place.id, limit: 3 };
    const dry = await reverifyMany({ ...window, dryRun: true });
    expect(dry).toMatchObject({ dryRun: true, counts: { accepted: 3 } });
    expect(await hub.owner`select 1 from impact_in_reverification where receipt_id = any(${ids})`).toHaveLength(0);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Page = await reverifyMany({ ...window, ...(cursor === null ? {} : { cursor }) });
      expect(page.data.every(({ result }) => result === 'accepted')).toBe(true);
      seen.push(...page.data.map(({ receiptId }) => receiptId));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen.toSorted()).toEqual(ids.toSorted());
    expect((await reverifyMany({ ids: [ids[0], newId()] })).data.map(({ receiptId }) => receiptId)).toEqual([ids[0]]);
    for (const dryRun of [true, false]) {
      const again = await reverifyMany({ ...window, limit: 10, dryRun });
      expect(again.counts).toMatchObject({ accepted: 0, already_taken: 7 });
      expect(again.data.every(({ taken }) => taken === 'accepted')).toBe(true);
    }
  });

  test('leave those in the lists that nobody has taken, and the others say what became of them', async () => {
    const place = await hub.addEndpoint(companyId, { partner: 'benevity' });
    const keep = async (seed: string, secret = place.secret): Promise<string> => {
      const request = signedRequest(place, eventNamed(seed).body, { secret });
      return (await keepRejected(hub, place, request, { reason: 'signature_mismatch' })) ?? '';
    };
    const untried = await keep('untried');
    const refused = await keep('refused again', 'another secret');
    const taken = await keep('taken by now');
    const confirmed = await keepQuarantined(hub, place, signedRequest(place, eventNamed('confirmed').body));
    await sendSigned(hub, place, eventNamed('at once').body);
    await hub.owner`
      insert into impact_in_confirmation (receipt_id, company_id, endpoint_id, partner, state, attempts, created_at, updated_at)
      values (${confirmed}, ${companyId}, ${place.id}, 'benevity', 'confirmed', 1, now(), now())`;
    await reverifyMany({ ids: [refused, taken] });
    type Listed = { id: string; outcome: string; taken: boolean | null; reverification: object | null };
    const listed = async (more = '') =>
      (await read(hub, companyId, `/receipts?endpointId=${place.id}${more}`)).json<{ data: Listed[] }>().data;
    expect((await listed('&taken=false')).map(({ id }) => id)).toEqual([refused, untried]);
    expect((await listed('&taken=true')).map(({ id }) => id)).toEqual([confirmed, taken]);
    expect((await listed('&taken=false&limit=1')).map(({ id }) => id)).toEqual([refused]);
    const [atOnce, ...later] = await listed();
    expect(atOnce).toMatchObject({ outcome: 'accepted', taken: null, reverification: null });
    expect(later).toMatchObject([
      { id: confirmed, taken: true, reverification: null },
      { id: taken, taken: true, reverification: { result: 'accepted', reason: null, at: expect.any(String) } },
      { id: refused, taken: false, reverification: { result: 'refused', reason: 'signature_mismatch' } },
      { id: untried, taken: false, reverification: null },
    ]);
    expect((await read(hub, companyId, `/receipts/${taken}`)).json()).toEqual(later[1]);
    expect((await read(hub, companyId, '/receipts?taken=perhaps')).statusCode).toBe(400);
  });

  test('a selection that contradicts itself is refused, naming the field', async () => {
    for (const [body, pointer] of [
      [{}, '/body/outcome'],
      [{ ids: [newId()], outcome: 'rejected' }, '/body/ids'],
      [{ outcome: 'accepted' }, '/body/outcome'],
      [{ outcome: 'rejected', limit: 501 }, '/body/limit'],
      [{ outcome: 'rejected', cursor: 'of somebody else' }, '/body/cursor'],
    ] as const) {
      const answer = await post(hub, companyId, '/receipts/reverify', body);
      expect(answer.statusCode).toBe(400);
      expect(answer.json<{ errors: { pointer: string }[] }>().errors[0]?.pointer).toBe(pointer);
    }
  });
});

test('one event has one effect, however its copies, kept and fresh, come together', async () => {
  const copy = fc.constantFrom('rejected', 'quarantined', 'fresh', 'fresh-spaced', 'rejected-spaced');
  await fc.assert(
    fc.asyncProperty(fc.array(copy, { minLength: 2, maxLength: 7 }), fc.nat(), async (copies, seed) => {
      const event = eventNamed(`together ${seed} ${copies.join(' ')}`);
      const spaced = Buffer.from(JSON.stringify(event.payload, null, 1));
      const acts: (() => Promise<unknown>)[] = [];
      for (const kind of copies) {
        const body = kind.endsWith('spaced') ? spaced : event.body;
        if (kind.startsWith('fresh')) acts.push(() => sendSigned(hub, endpoint, body));
        else {
          const id =
            kind === 'quarantined'
              ? await keepQuarantined(hub, endpoint, signedRequest(endpoint, body))
              : await rejected(body);
          acts.push(
            () => reverify(id),
            () => reverifyMany({ ids: [id] }),
          );
        }
      }
      await Promise.all(acts.map((act) => act()));
      await Promise.all([hub.runJobs(), hub.runJobs()]);
      expect(await deliveriesOf(event.eventId)).toHaveLength(1);
      const claims = await hub.owner`
        select 1 from impact_in_dedupe where dedupe_key = sha256(${`event id ${event.eventId}`}::bytea)`;
      expect(claims).toHaveLength(1);
    }),
    { numRuns: 25 },
  );
});

test('what became of it is shown with the explanation', async () => {
  const id = await rejected(eventNamed('shown').body);
  await reverify(id);
  const explanation = (await read(hub, companyId, `/receipts/${id}/explain`)).json();
  expect(explanation).toMatchObject({ reverification: { result: 'accepted', reason: null, originalId: null } });
});
