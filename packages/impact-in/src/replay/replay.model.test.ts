import fc from 'fast-check';
import { expect, test } from 'vitest';
import { useTestHub, type TestEndpoint } from '../test-hub.ts';
import { crashingDatabase } from './crashing-database.ts';
import { afterJobs, changed, nextToStart, stepped, type Model } from './replay-model.ts';
import { deliver, deliverDead, post, start } from './test-replays.ts';
import { workReplays } from './work-replays.ts';

const hub = await useTestHub();

type Command =
  | { do: 'deliver' }
  | { do: 'window' | 'pause' | 'resume' | 'cancel'; which: number }
  | { do: 'select'; which: number }
  | { do: 'tick'; crash: { afterCalls: number; afterCommit: boolean } | null }
  | { do: 'jobs' };

const which = fc.nat(20);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ do: 'deliver' } as const) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('window', 'pause', 'resume', 'cancel'), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('select' as const), which }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('tick' as const),
      crash: fc.option(fc.record({ afterCalls: fc.nat(45), afterCommit: fc.boolean() }), { nil: null, freq: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ do: 'jobs' } as const) },
);

/** What the database has, in the shape of the model. */
const read = async (companyId: string): Promise<Model> => {
  const { owner } = hub;
  const deliveries = await owner<{ id: string; isProcessed: boolean; attempts: number; hasJob: boolean }[]>`
    select d.id, d.processed_at is not null as "isProcessed", d.attempts, j.id is not null as "hasJob"
    from impact_in_delivery d left join job j on j.id = d.id and j.state = 'queued'
    where d.company_id = ${companyId} order by d.id`;
  const replays = await owner<{ id: string; state: never }[]>`
    select id, state from impact_in_replay where company_id = ${companyId} order by id`;
  const items = await owner<{ replayId: string; id: string; state: never; attemptsBefore: number | null }[]>`
    select replay_id as "replayId", delivery_id as id, state, attempts_before as "attemptsBefore"
    from impact_in_replay_item where company_id = ${companyId} order by replay_id, delivery_id`;
  const [audit] = await owner<{ events: number }[]>`
    select count(*)::int as events from audit_event
    where company_id = ${companyId} and type = 'impact_in.delivery.replayed'`;
  return {
    deliveries: new Map(deliveries.map(({ id, ...delivery }) => [id, delivery])),
    replays: new Map(
      replays.map(({ id, state }) => [
        id,
        {
          state,
          items: new Map(
            items
              .filter(({ replayId }) => replayId === id)
              .map((item) => [item.id, { state: item.state, attemptsBefore: item.attemptsBefore ?? 0 }]),
          ),
        },
      ]),
    ),
    audited: audit?.events ?? 0,
  };
};

/** The counts of each replay are those of its items, and no attempt has happened twice. */
const expectConsistent = async (companyId: string): Promise<void> => {
  const wrong = await hub.owner`
    select r.id from impact_in_replay r left join lateral (
      select count(*) as selected, count(*) filter (where state = 'started') as in_flight,
        count(*) filter (where state = 'succeeded') as succeeded, count(*) filter (where state = 'failed') as failed,
        count(*) filter (where state = 'skipped') as skipped
      from impact_in_replay_item i where i.replay_id = r.id) i on true
    where r.company_id = ${companyId} and (r.selected, r.in_flight, r.succeeded, r.failed, r.skipped)
      <> (i.selected, i.in_flight, i.succeeded, i.failed, i.skipped)`;
  expect([...wrong]).toEqual([]);
  const log = await hub.owner`
    select d.id from impact_in_delivery d join lateral (
      select count(*) as attempts, max(number) as last from impact_in_attempt a where a.delivery_id = d.id) a on true
    where d.company_id = ${companyId} and (a.attempts <> d.attempts or a.last <> d.attempts)`;
  expect([...log]).toEqual([]);
};

const pick = (ids: Iterable<string>, n: number): string | undefined => {
  const all = [...ids];
  return all.length === 0 ? undefined : all[n % all.length];
};

/** Every model that a turn of the leader may lead to: each step happens whole or, for the one that is cut off, not at all. */
const afterTick = (model: Model, mayCrash: boolean): Model[] => {
  const mayStart = nextToStart(model);
  let possible = [{ model, crashed: false }];
  for (const id of model.replays.keys())
    possible = possible.flatMap((each) => [
      { ...each, model: stepped(each.model, id, id === mayStart) },
      ...(mayCrash && !each.crashed ? [{ ...each, crashed: true }] : []),
    ]);
  return possible.map((each) => each.model);
};

const run = async (companyId: string, endpoint: TestEndpoint, seed: string, commands: readonly Command[]) => {
  let model = await read(companyId);
  for (const [index, each] of commands.entries()) {
    if (each.do === 'deliver') {
      const id = await deliver(hub, endpoint, `${seed} ${index}`);
      model = afterJobs(model);
      model.deliveries.set(id, { isProcessed: true, attempts: 1, hasJob: false });
    } else if (each.do === 'jobs') {
      await hub.runJobs();
      model = afterJobs(model);
    } else if (each.do === 'tick') {
      const db = each.crash === null ? hub.db : crashingDatabase(hub.db, each.crash);
      await workReplays({ ...hub.impactIn.deps, db }, new AbortController().signal);
      const found = await read(companyId);
      const possible = afterTick(model, each.crash !== null);
      expect(possible).toContainEqual(found);
      model = found;
    } else if (each.do === 'window' || each.do === 'select') {
      const ids = [...model.deliveries.keys()].filter((_, n) => each.do === 'window' || (n + each.which) % 2 === 0);
      const body = each.do === 'window' ? { from: '2026-01-01T00:00:00Z' } : { ids };
      if (each.do === 'select' && ids.length === 0) continue;
      const { id } = await start(hub, companyId, '/deliveries/bulk-replay', { ...body, ratePerSecond: 1_000 });
      const items = new Map(ids.map((item) => [item, { state: 'selected' as const, attemptsBefore: 0 }]));
      model.replays.set(id, { state: 'waiting', items });
    } else {
      const id = pick(model.replays.keys(), each.which);
      const replay = id === undefined ? undefined : model.replays.get(id);
      if (replay === undefined) continue;
      const state = changed(replay.state, each.do);
      const answer = await post(hub, companyId, `/replays/${id}/${each.do}`);
      expect(answer.statusCode).toBe(state === undefined ? 409 : 200);
      replay.state = state ?? replay.state;
    }
    expect(await read(companyId)).toEqual(model);
  }
  return model;
};

/** Lets everything that is not cancelled come to its end. */
const finish = async (companyId: string, model: Model): Promise<void> => {
  for (const [id, { state }] of model.replays)
    if (state === 'paused') await post(hub, companyId, `/replays/${id}/resume`);
  for (let turns = 0; turns < 3 * model.replays.size + 2; turns += 1) {
    await workReplays(hub.impactIn.deps, new AbortController().signal);
    await hub.runJobs();
  }
};

test('whatever is asked for and wherever a process dies, each delivery is replayed once per replay, and counted so', async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 6, maxLength: 18 }), async (commands) => {
      runs += 1;
      const companyId = await hub.addCompany();
      const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
      for (let n = 0; n < 3; n += 1) await deliver(hub, endpoint, `${runs} processed ${n}`);
      for (let n = 0; n < 2; n += 1) await (await deliverDead(hub, endpoint, `${runs} dead ${n}`)).mend();
      const model = await run(companyId, endpoint, `${runs}`, [{ do: 'window', which: 0 }, ...commands]);
      await expectConsistent(companyId);
      await finish(companyId, model);
      const ended = await read(companyId);
      for (const replay of ended.replays.values()) {
        const cancelled = replay.state === 'cancelled';
        if (!cancelled) expect(replay.state).toBe('done');
        for (const item of replay.items.values())
          expect(cancelled ? ['succeeded', 'selected'] : ['succeeded']).toContain(item.state);
      }
      const begun = [...ended.replays.values()].flatMap(({ items }) =>
        [...items.values()].filter(({ state }) => state !== 'selected'),
      );
      expect(ended.audited).toBe(begun.length);
      await expectConsistent(companyId);
    }),
    { numRuns: 30 },
  );
}, 120_000);
