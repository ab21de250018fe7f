import { describe, expect, test } from 'vitest';
import { newId } from '@impact-hub/core';
import { settleOutbound } from '../settle-outbound.ts';
import { useStage } from '../test-outbound.ts';
import { failed } from './attempt-end.ts';
import { claimCall } from './claim-call.ts';
import { recordEnds } from './record-ends.ts';

const stage = await useStage();
const companyId = await stage.hub.addCompany();
const connectionId = await stage.connect(companyId, 'goodera');

const claim = async () => {
  const id = await stage.send(companyId, connectionId);
  await stage.hurry();
  const claimed = await stage.hub.db.company(companyId, (tx) => claimCall(tx, connectionId));
  if (claimed === undefined) throw new Error('nothing was due');
  return { id, claimed };
};
const settle = (id: string) => {
  const event = {
    id: newId(),
    partner: 'goodera',
    correlationId: id,
    status: 'success',
    occurredAt: new Date(),
  } as const;
  return stage.hub.db.company(companyId, (tx) => settleOutbound(tx, [event], new Date()));
};
const stored = (id: string) => stage.hub.owner`
  select number, result, error_class as "errorClass", ended_at as "endedAt"
  from impact_in_outbound_attempt where delivery_id = ${id} order by number`;
const lost = { result: 'unknown', errorClass: 'lost', endedAt: null };

describe('an attempt whose process died', () => {
  test('is noted as lost when the partner’s webhook settles its delivery', async () => {
    const { id } = await claim();
    await settle(id);
    expect(await stored(id)).toEqual([{ number: 1, ...lost }]);
    const { attemptLog } = await stage.detail(companyId, id);
    expect(attemptLog).toMatchObject([{ ...lost, error: expect.stringContaining('before an answer was noted') }]);
  });

  test('is noted as lost when its connection is deleted', async () => {
    const other = await stage.connect(companyId, 'goodera-key');
    const id = await stage.send(companyId, other);
    await stage.hub.db.company(companyId, (tx) => claimCall(tx, other));
    await stage.ask(companyId, 'DELETE', `/connections/${other}`);
    expect(await stored(id)).toEqual([{ number: 1, ...lost }]);
  });

  test('is noted as lost when the answer to an earlier one ends the delivery', async () => {
    const { id, claimed } = await claim();
    await stage.expireLeases();
    await stage.hurry();
    await stage.hub.db.company(companyId, (tx) => claimCall(tx, connectionId));
    await answer(claimed);
    expect(await stored(id)).toMatchObject([
      { number: 1, result: 'success' },
      { number: 2, ...lost },
    ]);
  });
});

type Claimed = Awaited<ReturnType<typeof claim>>['claimed'];
const answer = ({ connection, deliveries }: Claimed, isGood = true) => {
  const { outbox, clock, outbound } = stage.deps;
  const { random, retryDelaysSeconds } = outbound;
  const refused = failed('partner_error', { error: 'HTTP 500', httpStatus: 500 });
  const end = isGood
    ? ({ ...refused, result: 'success', status: 'success', errorClass: null, error: null } as const)
    : refused;
  const ended = deliveries.map((delivery) => ({ ...delivery, end, sealedExchange: null }));
  return stage.hub.db.company(companyId, (tx) =>
    recordEnds(tx, { outbox, clock, random, retryDelaysSeconds }, connection, ended, null),
  );
};

test.each([true, false])(
  'an attempt that goes on after its delivery was settled still notes its answer (good: %s)',
  async (isGood) => {
    const { id, claimed } = await claim();
    await settle(id);
    await answer(claimed, isGood);
    const [attempt] = await stored(id);
    expect(attempt).toMatchObject({ result: isGood ? 'success' : 'failure', endedAt: expect.any(Date) });
  },
);
