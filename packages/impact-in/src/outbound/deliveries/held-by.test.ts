import { beforeEach, expect, test } from 'vitest';
import { useStage } from '../test-outbound.ts';

const stage = await useStage();
const companyId = await stage.hub.addCompany();
let connectionId = '';
let id = '';
beforeEach(async () => {
  connectionId = await stage.connect(companyId, 'goodera-key');
  id = await stage.send(companyId, connectionId);
});

const breakerName = () => `partner:goodera-key:${connectionId}`;
const held = async () => {
  const { sending } = await stage.detail(companyId, id);
  const { heldBy, heldUntil } = sending as unknown as { heldBy: string | null; heldUntil: string | null };
  return { heldBy, waitMs: heldUntil === null ? null : Date.parse(heldUntil) - Date.now() };
};
const circuit = async () =>
  (await stage.ask(companyId, 'GET', `/connections/${connectionId}`)).json<{ circuit: object }>().circuit;
const openCircuit = () => stage.hub.breakers.get(breakerName()).adopt({ state: 'open', remainingMs: 60_000 });

test('a delivery that nothing holds says so, and so does its circuit', async () => {
  expect(await held()).toEqual({ heldBy: null, waitMs: null });
  expect(await circuit()).toEqual({ name: breakerName(), state: 'closed', retryAt: null });
  await stage.sendAll();
  expect(await held()).toEqual({ heldBy: null, waitMs: null });
});

test('a delivery says that its connection is paused', async () => {
  await stage.ask(companyId, 'PATCH', `/connections/${connectionId}`, { state: 'paused' });
  openCircuit();
  expect(await held()).toEqual({ heldBy: 'paused', waitMs: null });
});

test('a delivery says that the circuit is open, and until when; so do its connection and the list', async () => {
  openCircuit();
  await stage.sendDue();
  const { heldBy, waitMs } = await held();
  expect(heldBy).toBe('circuit');
  expect(waitMs).toBeGreaterThan(50_000);
  const open = { name: breakerName(), state: 'open', retryAt: expect.any(String) };
  expect(await circuit()).toEqual(open);
  const listed = (await stage.ask(companyId, 'GET', '/connections')).json<{ data: object[] }>();
  expect(listed.data).toContainEqual(expect.objectContaining({ id: connectionId, circuit: open }));
});

test('a delivery says that the rate of its connection is used up, and until when', async () => {
  await stage.hub.owner`
    update impact_in_connection set next_call_at = now() + interval '30 seconds' where id = ${connectionId}`;
  const { heldBy, waitMs } = await held();
  expect(heldBy).toBe('rate');
  expect(waitMs).toBeGreaterThan(20_000);
});

test('a delivery whose next attempt comes later anyway is not held', async () => {
  openCircuit();
  await stage.hub.owner`update impact_in_outbound set due_at = now() + interval '1 hour' where delivery_id = ${id}`;
  expect(await held()).toEqual({ heldBy: null, waitMs: null });
});
