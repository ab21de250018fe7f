import type { DomainEvent } from '@impact-hub/core';
import { newId } from '@impact-hub/core';
import { controlledClock } from '@impact-hub/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { inputOf, requestFor, send } from '../../inbox/test-schemes.ts';
import { useTestHub, type TestEndpoint } from '../../test-hub.ts';
import type { SchemeName } from '../../verification/profile.ts';
import { callEndpoints } from '../test-management.ts';
import { watchSilence } from './watch-silence.ts';

const clock = controlledClock();
const events: DomainEvent[] = [];
const publish = async (_tx: unknown, event: DomainEvent) => void events.push(event);
const hub = await useTestHub({ clock, outbox: { publish, publishAll: async () => undefined } });
const companyId = await hub.addCompany();
beforeEach(async () => {
  events.length = 0;
  await hub.owner`update impact_in_endpoint set expected_every_seconds = null, silent_since = null`;
});

/** After 5 minutes and a quarter of it the endpoint is silent. */
const expectedEverySeconds = 300;
const waited = (scheme: SchemeName = 'benevity-hmac', company = companyId): Promise<TestEndpoint> =>
  hub.addEndpoint(company, { ...inputOf[scheme], expectedEverySeconds });
const pass = (seconds: number) => clock.advanceMs(seconds * 1_000);
/** As if somebody had watched all the time. */
const watch = async () => {
  await hub.owner`
    insert into impact_in_silence_watch (watched_at, listening_since) values (${clock.now()}, '2020-01-01')
    on conflict (only_row) do update set watched_at = excluded.watched_at, listening_since = excluded.listening_since`;
  await watchSilence(hub.impactIn.deps);
};
const hear = async (endpoint: TestEndpoint, seed = newId()) => {
  const answer = await send(hub, await requestFor(hub, endpoint, seed, undefined, clock.nowMs()));
  await hub.impactIn.deps.heardEndpoints.flush();
  return answer.statusCode;
};
const show = async ({ id }: { id: string }) => (await callEndpoints(hub, companyId, 'GET', `/${id}`)).body;
const silentIds = async (silent = true): Promise<string[]> =>
  (await callEndpoints(hub, companyId, 'GET', `?silent=${silent}&limit=100`)).body.data.map(
    ({ id }: { id: string }) => id,
  );
const audited = async ({ id }: { id: string }): Promise<string[]> =>
  (
    await hub.owner<{ type: string }[]>`
    select type from audit_event where resource_id = ${id} and type ~ '(silent|heard_again)$' order by id`
  ).map(({ type }) => type.replace('impact_in.endpoint.', ''));

describe('an endpoint whose partner is expected to send', () => {
  test('is said to be silent once, when nothing has come for a quarter longer, and heard again once', async () => {
    const endpoint = await waited();
    pass(100);
    expect(await hear(endpoint)).toBe(200);
    const heardAt = clock.now().toISOString();
    pass(375);
    await watch();
    expect(await show(endpoint)).toMatchObject({ silentSince: null, lastReceivedAt: heardAt, expectedEverySeconds });
    pass(1);
    await Promise.all([watch(), watch(), watch()]);
    await watch();
    expect(await show(endpoint)).toMatchObject({ silentSince: heardAt, lastReceivedAt: heardAt });
    expect(await silentIds()).toEqual([endpoint.id]);
    expect(await silentIds(false)).not.toContain(endpoint.id);
    const payload = { endpointId: endpoint.id, silentSince: heardAt };
    expect(events).toEqual([{ type: 'impact_in.endpoint.silent', payload }]);
    await hub.impactIn.deps.endpoints.reload();
    expect(await hub.metrics.metrics()).toContain('impact_in_silent_endpoints{partner="benevity"} 1');

    expect(await hear(endpoint)).toBe(200);
    await Promise.all([watch(), watch()]);
    expect(await show(endpoint)).toMatchObject({ silentSince: null, lastReceivedAt: clock.now().toISOString() });
    expect(events.slice(1)).toEqual([
      { type: 'impact_in.endpoint.heard_again', payload: { ...payload, heardAt: clock.now().toISOString() } },
    ]);
    expect(await audited(endpoint)).toEqual(['silent', 'heard_again']);
    await hub.impactIn.deps.endpoints.reload();
    expect(await hub.metrics.metrics()).toContain('impact_in_silent_endpoints{partner="benevity"} 0');
  });

  test('is waited for from its creation, also when it has never received', async () => {
    const endpoint = await waited();
    const since = clock.now().toISOString();
    pass(376);
    await watch();
    expect(await show(endpoint)).toMatchObject({ silentSince: since, lastReceivedAt: null });
  });

  test('is not waited for while it is paused, and anew when it is resumed', async () => {
    const endpoint = await waited();
    pass(376);
    await watch();
    await callEndpoints(hub, companyId, 'POST', `/${endpoint.id}/pause`);
    expect(await show(endpoint)).toMatchObject({ silentSince: null });
    pass(86_400);
    await watch();
    await callEndpoints(hub, companyId, 'POST', `/${endpoint.id}/resume`);
    pass(375);
    await watch();
    expect(await show(endpoint)).toMatchObject({ silentSince: null });
    pass(1);
    await watch();
    expect(await show(endpoint)).toMatchObject({ silentSince: expect.any(String) });
    expect(await audited(endpoint)).toEqual(['silent', 'silent']);
  });

  test('is waited for anew when the expectation changes, and no longer when it is taken away or the endpoint deleted', async () => {
    const [changed, taken, deleted] = [await waited(), await waited(), await waited()];
    pass(376);
    await watch();
    await callEndpoints(hub, companyId, 'PATCH', `/${changed.id}`, { expectedEverySeconds: 60 });
    await callEndpoints(hub, companyId, 'PATCH', `/${taken.id}`, { expectedEverySeconds: null });
    await callEndpoints(hub, companyId, 'DELETE', `/${deleted.id}`);
    expect(await silentIds()).toEqual([]);
    pass(90);
    await watch();
    expect(await silentIds()).toEqual([]);
    pass(1);
    await watch();
    expect(await silentIds()).toEqual([changed.id]);
    pass(86_400);
    await watch();
    expect(await audited(taken)).toEqual(['silent']);
    expect(await audited(deleted)).toEqual(['silent']);
  });

  test('is heard by what waits for confirmation, but neither by what is repeated nor by what is refused', async () => {
    const [signed, unsigned] = [await waited(), await waited('goodera-unsigned')];
    const event = await requestFor(hub, signed, 'repeated', undefined, clock.nowMs());
    expect((await send(hub, event)).statusCode).toBe(200);
    await hub.impactIn.deps.heardEndpoints.flush();
    const first = clock.now().toISOString();
    pass(290);
    expect(await hear(unsigned)).toBe(202);
    expect((await send(hub, event)).json()).toMatchObject({ duplicate: true });
    expect((await send(hub, { ...event, body: Buffer.from('{}') })).statusCode).toBe(401);
    await hub.impactIn.deps.heardEndpoints.flush();
    pass(90);
    await watch();
    expect(await show(signed)).toMatchObject({ silentSince: first, lastReceivedAt: first });
    expect(await show(unsigned)).toMatchObject({ silentSince: null });
  });

  test('of another company is not told', async () => {
    const other = await hub.addCompany();
    const endpoint = await waited('benevity-hmac', other);
    pass(376);
    await watch();
    expect(await audited(endpoint)).toEqual(['silent']);
    expect(await silentIds()).toEqual([]);
  });
});

describe('after the hub has been away', () => {
  const awayFor = async (seconds: number) => {
    await watch();
    pass(seconds);
    await watchSilence(hub.impactIn.deps);
  };
  const watchFor = async (seconds: number, everySeconds = 25) => {
    for (let passed = 0; passed < seconds; passed += everySeconds) {
      pass(Math.min(everySeconds, seconds - passed));
      await watchSilence(hub.impactIn.deps);
    }
  };

  test('nobody is said to be silent before there was time to send again', async () => {
    const endpoint = await waited();
    const since = clock.now().toISOString();
    await awayFor(7_200);
    await watchFor(375);
    expect(await show(endpoint)).toMatchObject({ silentSince: null });
    await watchFor(1);
    expect(await show(endpoint)).toMatchObject({ silentSince: since });
  });

  test('whoever is expected seldom has an hour to send again', async () => {
    const endpoint = await hub.addEndpoint(companyId, { ...inputOf['benevity-hmac'], expectedEverySeconds: 86_400 });
    const since = clock.now().toISOString();
    await awayFor(200_000);
    await watchFor(3_600, 30);
    expect(await show(endpoint)).toMatchObject({ silentSince: null });
    await watchFor(1);
    expect(await show(endpoint)).toMatchObject({ silentSince: since });
  });

  test('a restart without a gap delays nothing', async () => {
    const endpoint = await waited();
    await awayFor(30);
    await watchFor(346);
    expect(await show(endpoint)).toMatchObject({ silentSince: expect.any(String) });
  });

  test('a clock that was ahead for a while neither raises an alarm nor holds one back', async () => {
    const endpoint = await waited();
    await awayFor(86_400);
    expect(await show(endpoint)).toMatchObject({ silentSince: null });
    await awayFor(-86_400);
    await watchFor(376);
    expect(await show(endpoint)).toMatchObject({ silentSince: expect.any(String) });
  });
});

test('when it was last heard survives that the database cannot be reached for a moment, and never goes back', async () => {
  const endpoint = await waited();
  const other = await hub.open();
  const heard = () => hub.impactIn.deps.heardEndpoints;
  const t = clock.nowMs();
  await hub.owner`revoke insert on impact_in_endpoint_heard from hub_system`;
  heard().note(endpoint.id, t + 5_000);
  await expect(heard().flush()).rejects.toThrow('permission denied');
  await hub.owner`grant insert on impact_in_endpoint_heard to hub_system`;
  await heard().flush();
  other.deps.heardEndpoints.note(endpoint.id, t);
  await other.stop();
  expect(await show(endpoint)).toMatchObject({ lastReceivedAt: new Date(t + 5_000).toISOString() });
});
