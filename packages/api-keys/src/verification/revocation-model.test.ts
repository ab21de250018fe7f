import type { Sql } from '@impact-hub/core';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { digestApiKey, generateApiKey } from '../key-format.ts';
import { createApiKeyVerifier, type VerifyResult } from './api-key-verifier.ts';

/** What a message may at most be late before caches stop being trusted (change-feed.ts). */
const trustedForMs = 2_000;
const { key, keyId } = generateApiKey('live');
const sha256 = Buffer.from(digestApiKey(key), 'base64');
const unchanging = {
  id: '0199c0de-0000-7000-8000-000000000001',
  companyId: '0199c0de-0000-7000-8000-000000000002',
  keyId,
  environment: 'live',
  scopes: ['data:read'],
  rateLimitPerMinute: 60,
  expiresAt: null,
  allowedIps: [],
  secretId: '0199c0de-0000-7000-8000-000000000003',
  sha256,
  secretExpiresAt: null,
  unused: false,
};

/** The key from one commit to the next. */
type Version = { isGood: boolean; endedAtMs: number };

/**
 * One process of the hub in virtual time. PostgreSQL is a list of versions; a query sees the last one at the moment it
 * is executed, and its answer arrives later. What happens when is for the scheduler.
 */
const startModel = (scheduler: fc.Scheduler) => {
  let nowMs = 1_000_000;
  const versions: Version[] = [{ isGood: true, endedAtMs: Infinity }];
  let told = 0;
  let polled = 0;
  let provenAtMs = nowMs;
  let onChange: (keyId: string) => void = () => undefined;
  const violations: string[] = [];
  const later = (label: string) => scheduler.schedule(Promise.resolve(), label);

  const tellUpTo = (version: number): void => {
    told = Math.max(told, version);
    onChange(keyId);
  };
  const query = async (): Promise<unknown[]> => {
    await later('execute');
    const row = { ...unchanging, enabled: versions.at(-1)?.isGood, revokedAt: null };
    await later('answer');
    return [row];
  };
  const verifier = createApiKeyVerifier({
    db: { systemSql: query as unknown as Sql, system: () => Promise.reject(new Error('nothing is written here')) },
    changes: {
      subscribe: (_topic, listener) => void (onChange = listener),
      isCurrent: () => nowMs - provenAtMs < trustedForMs,
    },
    clock: { now: () => new Date(nowMs), nowMs: () => nowMs },
    metrics: new Registry(),
    usageFlushIntervalMs: 3_600_000,
  });

  /** Some version that could still be believed has to explain the answer. */
  const check = (result: VerifyResult): void => {
    const believable = versions.slice(told).filter(({ endedAtMs }) => nowMs - endedAtMs < trustedForMs);
    if (!believable.some(({ isGood }) => isGood === result.valid))
      violations.push(
        `${result.valid ? 'accepted' : `refused (${result.reason})`} at ${nowMs}: ${JSON.stringify({ told, versions })}`,
      );
  };

  return {
    violations,
    stop: verifier.stop,
    pass: (ms: number) => void (nowMs += ms),
    present: (): void => {
      const result = verifier.verify(key, '192.0.2.1');
      if (result instanceof Promise) void result.then(check, () => undefined);
      else check(result);
    },
    /** Commits a change; each of its messages arrives some time, or none does. */
    change: (messages: number): void => {
      const last = versions.at(-1);
      if (last !== undefined) last.endedAtMs = nowMs;
      versions.push({ isGood: last?.isGood === false, endedAtMs: Infinity });
      const version = versions.length - 1;
      for (let message = 0; message < messages; message += 1) void later('message').then(() => tellUpTo(version));
    },
    poll: async (): Promise<void> => {
      const startedAtMs = nowMs;
      await later('execute poll');
      const seen = versions.length - 1;
      await later('answer poll');
      for (; polled < seen; polled += 1) tellUpTo(polled + 1);
      if (startedAtMs > provenAtMs) provenAtMs = startedAtMs;
    },
  };
};

const action = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('present' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('change' as const), messages: fc.integer({ min: 0, max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('poll' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 500, 1_500, 2_000, 2_500) }),
  },
);

it('accepts a key after a change neither once it was told of it, nor 2 s later in any case, whatever is late or lost', () =>
  fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(action, { minLength: 5, maxLength: 25 }), async (scheduler, actions) => {
      const model = startModel(scheduler);
      for (const each of actions)
        void scheduler.schedule(Promise.resolve(), each.kind).then(() => {
          if (each.kind === 'present') model.present();
          else if (each.kind === 'change') model.change(each.messages);
          else if (each.kind === 'poll') void model.poll();
          else model.pass(each.ms);
        });
      await scheduler.waitIdle();
      expect(model.violations).toEqual([]);
    }),
    { numRuns: 400 },
  ));
