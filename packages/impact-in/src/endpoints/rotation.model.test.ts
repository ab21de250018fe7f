import { controlledClock } from '@impact-hub/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inputOf, requestFor, send, type Sending } from '../inbox/test-schemes.ts';
import { useTestHub } from '../test-hub.ts';
import type { SchemeName } from '../verification/profile.ts';
import type { EndpointCredentials } from './new-secrets.ts';
import { callEndpoints, isAccepted, shownCredentials } from './test-management.ts';

const clock = controlledClock();
const hub = await useTestHub({ clock });
const companyId = await hub.addCompany();

type Command =
  | { do: 'rotate'; overlapSeconds?: number; force: boolean }
  | { do: 'retire'; back: number }
  | { do: 'advance'; seconds: number };

/** Sets of secrets in the order of their making; `endsAt` in seconds. */
type Model = { now: number; sets: { endsAt: number }[] };

const daySeconds = 86_400;
const isValid = ({ now, sets }: Model, index: number): boolean => now < (sets[index]?.endsAt ?? 0);

/** The whole of what rotation promises. @returns the status that the API has to answer with */
const step = (model: Model, command: Command): number => {
  const { now, sets } = model;
  const valid = sets.filter((_, index) => isValid(model, index));
  const newest = valid.at(-1);
  if (command.do === 'advance') {
    model.now += command.seconds;
    return 200;
  }
  if (command.do === 'rotate') {
    if (valid.length > 1 && !command.force) return 409;
    for (const set of valid) set.endsAt = set === newest ? now + (command.overlapSeconds ?? daySeconds) : now;
    sets.push({ endsAt: Infinity });
    return 200;
  }
  const set = sets[sets.length - 1 - (command.back % sets.length)];
  if (set === undefined || !valid.includes(set)) return 200;
  if (valid.length === 1) return 409;
  set.endsAt = now;
  if (set === newest) for (const other of valid.slice(0, -1)) other.endsAt = Infinity;
  return 200;
};

const seconds = fc.constantFrom(0, 1, 59, 60, 61, 3_599, 3_600, daySeconds - 1, daySeconds, 604_800);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record(
      { do: fc.constant('rotate' as const), overlapSeconds: seconds, force: fc.boolean() },
      { requiredKeys: ['do', 'force'] },
    ),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('retire' as const), back: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), seconds }) },
);

/** The real routes, database, and receiver under the same commands. */
const startReal = async (scheme: SchemeName) => {
  const endpoint = await hub.addEndpoint(companyId, inputOf[scheme]);
  const issued: EndpointCredentials[] = [endpoint.credentials];
  const call = (path: string, body: object) => callEndpoints(hub, companyId, 'POST', `/${endpoint.id}${path}`, body);
  const secrets = async (): Promise<{ id: string; generation: number; state: string }[]> =>
    (await callEndpoints(hub, companyId, 'GET', `/${endpoint.id}`)).body.secrets;
  const run = async (wanted: Command): Promise<number> => {
    if (wanted.do === 'advance') {
      clock.advanceMs(wanted.seconds * 1_000);
      return 200;
    }
    if (wanted.do === 'rotate') {
      const { do: _, ...body } = wanted;
      const answer = await call('/rotate-secret', body);
      if (answer.status === 200) issued.push(shownCredentials(answer.body));
      return answer.status;
    }
    const generation = issued.length - (wanted.back % issued.length);
    const secret = (await secrets()).find((one) => one.generation === generation);
    return (await call(`/secrets/${secret?.id}/retire`, {})).status;
  };
  const accepts = (index: number) => isAccepted(hub, endpoint, issued[index] ?? { nothing: true }, clock.nowMs());
  return { endpoint, issued, run, secrets, accepts };
};

/** Half of what is asked concerns the newest three; what has ended for good is asked now and then. */
const watched = (count: number): number[] =>
  [...new Set([0, count - 3, count - 2, count - 1])].filter((index) => index >= 0);

test.each(['benevity-hmac', 'standard-webhooks', 'custom-hmac', 'workday-basic', 'goodera-unsigned'] as const)(
  '%s: the receiver accepts exactly the secrets that a rotation promises, after any sequence of changes and time',
  async (scheme) => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 10 }), async (commands) => {
        const real = await startReal(scheme);
        const model: Model = { now: 0, sets: [{ endsAt: Infinity }] };
        for (const wanted of commands) {
          const expected = step(model, wanted);
          expect([wanted, await real.run(wanted)]).toEqual([wanted, expected]);
          for (const index of watched(model.sets.length))
            expect([index, await real.accepts(index)]).toEqual([index, isValid(model, index)]);
          const states = new Map((await real.secrets()).map(({ generation, state }) => [generation - 1, state]));
          for (const [index, state] of states) expect(state === 'active').toBe(isValid(model, index));
          const valid = model.sets.filter((_, index) => isValid(model, index));
          expect(valid.length === 1 || valid.length === 2).toBe(true);
        }
      }),
      { numRuns: 8 },
    );
  },
  60_000,
);

test('OAuth: a token is accepted exactly until it expires or the secret that it was granted for ends', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 8 }), async (commands) => {
      const real = await startReal('workday-oauth');
      const model: Model = { now: 0, sets: [{ endsAt: Infinity }] };
      const tokens: { request: Sending; index: number; expiresAt: number }[] = [];
      for (const wanted of commands) {
        for (const index of watched(model.sets.length)) {
          const endpoint = { ...real.endpoint, credentials: real.issued[index] ?? { nothing: true as const } };
          const request = await requestFor(hub, endpoint, `${index}`, undefined, clock.nowMs()).catch(() => null);
          expect([index, request !== null]).toEqual([index, isValid(model, index)]);
          if (request !== null) tokens.push({ request, index, expiresAt: model.now + 3_600 + 60 });
        }
        const expected = step(model, wanted);
        expect([wanted, await real.run(wanted)]).toEqual([wanted, expected]);
        for (const { request, index, expiresAt } of tokens) {
          const { statusCode } = await send(hub, request);
          expect([index, statusCode]).toEqual([index, isValid(model, index) && model.now < expiresAt ? 200 : 401]);
        }
      }
    }),
    { numRuns: 8 },
  );
}, 60_000);
