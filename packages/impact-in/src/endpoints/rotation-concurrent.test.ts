import { controlledClock } from '@impact-hub/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { useTestHub } from '../test-hub.ts';
import type { EndpointCredentials } from './new-secrets.ts';
import { callEndpoints, isAccepted, shownCredentials } from './test-management.ts';

const clock = controlledClock();
const hub = await useTestHub({ clock });
const companyId = await hub.addCompany();

/** `of`: which of the sets that were there before is retired. */
type Command =
  | { do: 'rotate'; overlapSeconds: number; force: boolean }
  | { do: 'retire'; of: number }
  | { do: 'delete' };

/** Sets by who made them: `before 0`, or `command 2`. `endsAt` in seconds from the moment of the commands. */
type Model = { sets: { madeBy: string; endsAt: number }[]; deleted: boolean };

const step = (model: Model, command: Command, madeBy: string): number => {
  if (model.deleted) return 404;
  const valid = model.sets.filter(({ endsAt }) => endsAt > 0);
  const newest = valid.at(-1);
  if (command.do === 'delete') {
    model.deleted = true;
    for (const set of valid) set.endsAt = 0;
    return 200;
  }
  if (command.do === 'rotate') {
    if (valid.length > 1 && !command.force) return 409;
    for (const set of valid) set.endsAt = set === newest ? command.overlapSeconds : 0;
    model.sets.push({ madeBy, endsAt: Infinity });
    return 200;
  }
  const set = valid.find((one) => one.madeBy === `before ${command.of}`);
  if (set === undefined) return 200;
  if (valid.length === 1) return 409;
  set.endsAt = 0;
  if (set === newest) for (const other of valid.slice(0, -1)) other.endsAt = Infinity;
  return 200;
};

const ordersOf = (indexes: readonly number[]): number[][] =>
  indexes.length < 2
    ? [[...indexes]]
    : indexes.flatMap((first) => ordersOf(indexes.filter((other) => other !== first)).map((rest) => [first, ...rest]));

const laterSeconds = 61;

/** What can be seen of the commands from outside, had they come in this order. */
const seenInOrder = (commands: readonly Command[], before: number, order: readonly number[]) => {
  const sets = Array.from({ length: before }, (_, n) => ({
    madeBy: `before ${n}`,
    endsAt: n === before - 1 ? Infinity : 3_600,
  }));
  const model: Model = { sets, deleted: false };
  const statuses: number[] = [];
  for (const index of order) {
    const command = commands[index];
    if (command !== undefined) statuses[index] = step(model, command, `command ${index}`);
  }
  const acceptedAt = (seconds: number) =>
    model.sets
      .filter(({ endsAt }) => endsAt > seconds)
      .map(({ madeBy }) => madeBy)
      .sort();
  return JSON.stringify({ statuses, now: acceptedAt(0), later: acceptedAt(laterSeconds) });
};

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('rotate' as const),
      overlapSeconds: fc.constantFrom(0, 60, 3_600),
      force: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('retire' as const), of: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const) }) },
);

test('what comes at the same time ends as if it had come one after the other', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: 2, maxLength: 4 }),
      fc.constantFrom(1, 2),
      async (commands, before) => {
        const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
        const call = (method: 'POST' | 'DELETE', path: string, body: object) =>
          callEndpoints(hub, companyId, method, `/${endpoint.id}${path}`, body);
        const made = new Map<string, EndpointCredentials>([['before 0', endpoint.credentials]]);
        const ids = [endpoint.secrets[0]?.id];
        if (before === 2) {
          const rotated = await call('POST', '/rotate-secret', { overlapSeconds: 3_600 });
          made.set('before 1', shownCredentials(rotated.body));
          ids.push(rotated.body.secrets[0].id);
        }
        const runnable = commands.filter((one) => one.do !== 'retire' || one.of < before);
        const answers = await Promise.all(
          runnable.map((one) => {
            if (one.do === 'delete') return call('DELETE', '', {});
            if (one.do === 'retire') return call('POST', `/secrets/${ids[one.of]}/retire`, {});
            const { overlapSeconds, force } = one;
            return call('POST', '/rotate-secret', { overlapSeconds, force });
          }),
        );
        answers.forEach(({ status, body }, index) => {
          if (status === 200 && runnable[index]?.do === 'rotate') made.set(`command ${index}`, shownCredentials(body));
        });
        await hub.impactIn.deps.endpoints.reload(endpoint.id);
        const accepted = async (): Promise<string[]> => {
          const names: string[] = [];
          for (const [name, credentials] of made)
            if (await isAccepted(hub, endpoint, credentials, clock.nowMs())) names.push(name);
          return names.sort();
        };
        const now = await accepted();
        clock.advanceMs(laterSeconds * 1_000);
        const seen = JSON.stringify({ statuses: answers.map(({ status }) => status), now, later: await accepted() });
        const possible = ordersOf([...runnable.keys()]).map((order) => seenInOrder(runnable, before, order));
        expect(possible).toContain(seen);
      },
    ),
    { numRuns: 40 },
  );
}, 60_000);
