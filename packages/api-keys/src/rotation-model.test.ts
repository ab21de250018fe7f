import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startKeyRoutes } from './test-key-routes.ts';
import { startTestVerifier } from './verification/test-verifier.ts';

let hub: Awaited<ReturnType<typeof startKeyRoutes>>;
beforeAll(async () => {
  hub = await startKeyRoutes();
});
afterAll(() => hub.close());

type Command =
  | { do: 'rotate'; overlapSeconds?: number; overlapFrom?: 'now' | 'first_use'; force: boolean }
  | { do: 'use'; back: number }
  | { do: 'manage'; back: number }
  | { do: 'enable'; enabled: boolean }
  | { do: 'expire'; inSeconds: number | null }
  | { do: 'advance'; seconds: number }
  | { do: 'retire' }
  | { do: 'revoke' };

type Rotation = Extract<Command, { do: 'rotate' }>;
type Secret = { endsAt: number; usedAt: number | null; waitingOverlap: number | null };
type Model = { now: number; secrets: Secret[]; enabled: boolean; revoked: boolean; endsAt: number };

/** Whether the secret made as the `index`th is accepted: the whole of what a rotation promises. */
const accepts = ({ now, secrets, enabled, revoked, endsAt }: Model, index: number): boolean =>
  enabled && !revoked && now < endsAt && now < (secrets[index]?.endsAt ?? 0);

const daySeconds = 86_400;

const rotate = (model: Model, { overlapSeconds, overlapFrom, force }: Rotation): number => {
  const { now, secrets } = model;
  const newest = secrets.at(-1);
  const old = secrets.slice(0, -1).filter(({ endsAt }) => endsAt > now);
  // The only secret of a key is in use as far as anybody can tell; a newer one that was never used is lost.
  const lost = old.length > 0 && newest?.usedAt === null ? newest : undefined;
  if (model.revoked || now >= model.endsAt || (old.length > 0 && lost === undefined && !force)) return 409;
  const staying = lost === undefined ? newest : old.at(-1);
  for (const secret of secrets) if (secret !== staying) secret.endsAt = Math.min(secret.endsAt, now);
  let waitingOverlap: number | null = null;
  if (lost !== undefined && overlapSeconds === undefined && overlapFrom === undefined)
    waitingOverlap = lost.waitingOverlap;
  else if (overlapFrom === 'first_use') waitingOverlap = overlapSeconds ?? daySeconds;
  else if (staying !== undefined)
    staying.endsAt = Math.min(staying.endsAt, model.endsAt, now + (overlapSeconds ?? daySeconds));
  secrets.push({ endsAt: Infinity, usedAt: null, waitingOverlap });
  return 200;
};

/** Carries out a command on the model. @returns the status that the API has to answer with */
const step = (model: Model, command: Command): number => {
  const { now, secrets } = model;
  const old = secrets.slice(0, -1).filter(({ endsAt }) => endsAt > now);
  switch (command.do) {
    case 'advance':
      model.now += command.seconds;
      return 200;
    case 'revoke':
      model.revoked = true;
      return 200;
    case 'enable':
      if (!model.revoked) model.enabled = command.enabled;
      return model.revoked ? 409 : 200;
    case 'expire':
      if (!model.revoked) model.endsAt = command.inSeconds === null ? Infinity : now + command.inSeconds;
      return model.revoked ? 409 : 200;
    case 'retire':
      if (!model.revoked) for (const secret of old) secret.endsAt = now;
      return model.revoked ? 409 : 200;
    case 'use': {
      const index = secrets.length - 1 - (command.back % secrets.length);
      const used = secrets[index];
      if (used === undefined || !accepts(model, index)) return 401;
      if (used.usedAt !== null) return 200;
      used.usedAt = now;
      if (used.waitingOverlap === null) return 200;
      for (const earlier of secrets.slice(0, index))
        earlier.endsAt = Math.min(earlier.endsAt, model.endsAt, now + used.waitingOverlap);
      return 200;
    }
    case 'manage': {
      const index = secrets.length - 1 - (command.back % secrets.length);
      if (!accepts(model, index)) return 401;
      const newest = secrets.at(-1);
      const waits = newest !== undefined && newest.waitingOverlap !== null && newest.usedAt === null;
      return index === secrets.length - 1 || waits ? 200 : 403;
    }
    case 'rotate':
      return rotate(model, command);
  }
};

const seconds = fc.constantFrom(0, 1, 59, 60, 61, 3_600);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record(
      {
        do: fc.constant('rotate'),
        overlapSeconds: seconds,
        overlapFrom: fc.constantFrom('now', 'first_use'),
        force: fc.boolean(),
      },
      { requiredKeys: ['do', 'force'] },
    ),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('use'), back: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('manage'), back: fc.nat(2) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('advance'), seconds }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('enable'), enabled: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('expire'), inSeconds: fc.constantFrom(null, 30, 3_600) }) },
  { weight: 2, arbitrary: fc.constant({ do: 'retire' }) },
  { weight: 1, arbitrary: fc.constant({ do: 'revoke' }) },
) as fc.Arbitrary<Command>;

/** The real routes, database and verifier under the same commands. */
const startReal = async () => {
  const made = await hub.make();
  const path = `/admin/api-keys/${made.keyId}`;
  const keys = [made.key];
  const caller = { ...(await hub.principalOf(made.keyId)), scopes: new Set(['admin']) };
  const secretIds = [caller.secretId];
  const verify = async (index: number): Promise<boolean> => {
    const { verifier } = startTestVerifier(hub.database.db, { clock: hub.clock });
    const result = await verifier.verify(keys[index] ?? '', '192.0.2.1');
    // Whatever the first use sets off is written by then.
    await verifier.stop();
    return result.valid;
  };
  const status = async (method: 'POST' | 'PATCH' | 'DELETE', action: string, body?: object): Promise<number> => {
    const answer = await hub.send(hub.admin, method, `${path}${action}`, body);
    if (answer.body.key !== undefined) {
      keys.push(answer.body.key);
      secretIds.push((await hub.principalOf(made.keyId)).secretId);
    }
    return answer.status;
  };
  const run = async (wanted: Command): Promise<number> => {
    switch (wanted.do) {
      case 'advance':
        hub.clock.advanceMs(wanted.seconds * 1_000);
        return 200;
      case 'use':
        return (await verify(keys.length - 1 - (wanted.back % keys.length))) ? 200 : 401;
      case 'manage': {
        // As a request that was let in before whatever happened to its key.
        const secretId = secretIds[keys.length - 1 - (wanted.back % keys.length)] ?? '';
        return (await hub.send({ ...caller, secretId }, 'PATCH', path, { name: 'Key' })).status;
      }
      case 'enable':
        return status('PATCH', '', { enabled: wanted.enabled });
      case 'expire': {
        const at = wanted.inSeconds === null ? null : new Date(hub.clock.nowMs() + wanted.inSeconds * 1_000);
        return status('PATCH', '', { expiresAt: at });
      }
      case 'rotate': {
        const { do: _do, ...body } = wanted;
        return status('POST', '/rotate', body);
      }
      case 'retire':
        return status('POST', '/retire-old', {});
      case 'revoke':
        return status('DELETE', '');
    }
  };
  const states = async (): Promise<string[]> =>
    (await hub.send(hub.admin, 'GET', path)).body.secrets.map((secret: { state: string }) => secret.state).toReversed();
  return { run, states };
};

it('accepts exactly the secrets that a rotation promises, after any sequence of changes, uses and time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 15 }), async (commands) => {
      const real = await startReal();
      const first: Secret = { endsAt: Infinity, usedAt: null, waitingOverlap: null };
      const model: Model = { now: 0, secrets: [first], enabled: true, revoked: false, endsAt: Infinity };
      for (const wanted of commands) {
        const expected = step(model, wanted);
        expect([wanted, await real.run(wanted)]).toEqual([wanted, expected]);
        const live = model.secrets.map(({ endsAt }) => model.now < Math.min(endsAt, model.endsAt));
        expect((await real.states()).map((state) => state !== 'ended')).toEqual(live);
        expect(live.filter(Boolean).length).toBeLessThanOrEqual(2);
      }
      // Which are accepted at the end; asking is a use, so the model is used as well.
      for (let back = 0; back < model.secrets.length; back += 1) {
        const use = { do: 'use', back } as const;
        const expected = step(model, use);
        expect(await real.run(use)).toBe(expected);
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);
