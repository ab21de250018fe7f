import { createHmac, Hmac } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { maxRejectedBodyBytes } from '../../inbox/record-rejected.ts';
import { profiles, type HmacProfile } from '../../verification/profile.ts';
import { newWebhookSecret } from '../../verification/secret-key.ts';
import { createEffort, maxHashedBytes, maxHashedBytesPerTurn } from './effort.ts';
import { findMistakes, findSecret, type CandidateSecret, type Evidence } from './find-mistakes.ts';
import { bodyVariants } from './variants.ts';

afterEach(() => void vi.restoreAllMocks());

const profile = profiles['benevity-hmac'] as HmacProfile;
const secretsNamed = (kind: string, count: number): CandidateSecret[] =>
  Array.from({ length: count }, (_, n) => ({ id: `${kind}${n}`, text: newWebhookSecret() }));
/** As many as an explanation has, see `readCase`. */
const own = secretsNamed('own', 12);
const others = secretsNamed('other', 40);

const forged = (body: Buffer, more: [string, string][] = []): Evidence => ({
  profile,
  body,
  rawHeaders: [['X-Benevity-Signature', `t=1767225600,v1=${'ab'.repeat(32)}`] as const, ...more].flat(),
});

/** Counts what is hashed, in all and at most within one turn of the event loop, and how often JSON is read. */
const watch = async (work: () => Promise<unknown>) => {
  const counted = { hashedBytes: 0, hashes: 0, mostInTurn: 0, turns: 0 };
  let inTurn = 0;
  const update = vi.spyOn(Hmac.prototype, 'update').mockImplementation(function count(this: Hmac, data) {
    counted.hashedBytes += data.length;
    inTurn += data.length;
    counted.mostInTurn = Math.max(counted.mostInTurn, inTurn);
    return this;
  });
  const digest = vi.spyOn(Hmac.prototype, 'digest').mockImplementation(() => {
    counted.hashes += 1;
    return Buffer.alloc(32) as Buffer & string;
  });
  const parse = vi.spyOn(JSON, 'parse');
  let isDone = false;
  const working = work().finally(() => (isDone = true));
  while (!isDone) {
    await nextTurn();
    inTurn = 0;
    counted.turns += 1;
  }
  await working;
  const parsed = parse.mock.calls.length;
  for (const spy of [update, digest, parse]) spy.mockRestore();
  return { ...counted, parsed };
};

const explainAll = async (evidence: Evidence): Promise<void> => {
  const effort = createEffort();
  await findSecret(evidence, own, effort);
  await findSecret(evidence, others, effort);
  await findMistakes(evidence, own, effort);
};

const expectBounded = async (evidence: Evidence): Promise<void> => {
  const { hashedBytes, hashes, mostInTurn, parsed } = await watch(() => explainAll(evidence));
  expect(hashedBytes).toBeLessThanOrEqual(maxHashedBytes);
  expect(mostInTurn).toBeLessThanOrEqual(maxHashedBytesPerTurn);
  expect(hashes).toBeLessThan(1_300);
  expect(parsed).toBeLessThanOrEqual(1);
};

const filled = (unit: string, around = ['', '']): Buffer => {
  const [before = '', after = ''] = around;
  const times = Math.floor((maxRejectedBodyBytes - before.length - after.length - 1) / Buffer.byteLength(unit));
  return Buffer.from(`${before}${unit.repeat(times)}0${after}`);
};
const nested = (depth: number): Buffer => filled('0,', ['['.repeat(depth), ']'.repeat(depth)]);

const worst: Record<string, Buffer> = {
  'deep and long': nested(2_300),
  'as deep as is written anew, and long': nested(32),
  'of empty objects': filled('{},', ['[', ']']),
  'of letters that grow when escaped': filled('é', ['"', '"']),
  'of line ends before a letter': filled('\n'),
  'of line ends': Buffer.alloc(maxRejectedBodyBytes, '\r\n'),
};

test.each(Object.entries(worst))('a body %s is explained in bounded work', async (_, body) => {
  await expectBounded(forged(body));
});

test('with headers as long as Node takes, too', async () => {
  const long = 'x'.repeat(7_000);
  await expectBounded({
    ...forged(nested(32), [
      ['webhook-id', long],
      ['X-Timestamp', long],
    ]),
    profile: { ...profile, timestampHeader: 'X-Timestamp' },
  });
});

test('whatever is signed, no more than the bound is hashed, and the other forms of its body are as bounded', async () => {
  const bytes = fc.uint8Array({ maxLength: 2_000 }).map((array) => Buffer.from(array));
  const text = fc.oneof(
    fc.json({ maxDepth: 40 }),
    fc.string({ unit: fc.constantFrom('\n', '\r', '[', '{', ' ', 'x') }),
  );
  const times = fc.integer({ min: 1, max: 50 });
  const body = fc.oneof(
    bytes,
    fc.tuple(text, times).map(([part, count]) => Buffer.from(part.repeat(count)).subarray(0, maxRejectedBodyBytes)),
  );
  await fc.assert(
    fc.asyncProperty(body, async (one) => {
      await expectBounded(forged(one));
      for (const { value } of bodyVariants(one)) expect(value.length).toBeLessThanOrEqual(one.length * 5 + 256);
    }),
    { numRuns: 30 },
  );
});

test('the last of twelve secrets, used with two mistakes over the longest body, is still found', async () => {
  const last = own.at(-1) as CandidateSecret;
  const body = filled('{"a":1},', ['[', ']']);
  const signature = createHmac('sha256', `${last.text}\n`).update('1767225600:').update(body).digest('hex');
  const evidence = { ...forged(body), rawHeaders: ['X-Benevity-Signature', `t=1767225600,v1=${signature}`] };
  const effort = createEffort();
  expect(await findSecret(evidence, own, effort)).toBeNull();
  expect(await findSecret(evidence, others, effort)).toBeNull();
  const match = await findMistakes(evidence, own, effort);
  expect(match?.secretId).toBe(last.id);
  expect(match?.mistakes.map(({ name }) => name)).toEqual(['secret_newline', 'signed_text']);
});

test('the end of the last line is found where there is one', () => {
  const ended = bodyVariants(Buffer.from('{"a":1}\r\n\n')).map(({ value }) => value.toString());
  expect(ended[0]).toBe('{"a":1}');
  expect(bodyVariants(Buffer.from('\n')).map(({ value }) => value.toString())).toContain('');
  expect(bodyVariants(Buffer.from('a\nb')).map(({ value }) => value.toString())).not.toContain('a');
});
