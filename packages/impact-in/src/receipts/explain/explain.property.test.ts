import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventOf, read, useTestHub, type TestEndpoint } from '../../test-hub.ts';
import { families, profiles } from '../../verification/profile.ts';
import { verificationFailures } from '../../verification/verification-failure.ts';
import { keepRejected, signedRequest, type SentRequest } from '../test-kept.ts';
import { stepsOf } from './steps.ts';
import { addSignedEndpoints, failedOf, type Explanation } from './test-explain.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();
const endpoints = await addSignedEndpoints(hub, companyId);

const setHeader = ({ headers, body }: SentRequest, name: string, change: (value: string) => string): SentRequest => ({
  body,
  headers: headers.map(([key, value]) => [key, key === name ? change(value) : value]),
});

const schemes = ['benevity-hmac', 'goodera-hmac', 'workday-hmac', 'standard-webhooks'] as const;
const mutation = fc.oneof(
  fc.record({ kind: fc.constant('body' as const), at: fc.nat(), byte: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant('drop' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('repeat' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('letter' as const), at: fc.nat(), place: fc.nat() }),
  fc.record({ kind: fc.constant('replace' as const), at: fc.nat(), by: fc.string({ maxLength: 80 }) }),
  fc.record({ kind: fc.constant('encode' as const) }),
  fc.record({ kind: fc.constant('shift' as const), ms: fc.constantFrom(-86_400_000, -301_500, 301_500, 9e9) }),
);

const mutate = (
  endpoint: TestEndpoint,
  body: Buffer,
  change: { kind: string; at?: number; byte?: number; place?: number; by?: string; ms?: number },
): SentRequest => {
  const { kind, at: place = 0 } = change;
  const request = signedRequest(endpoint, body, kind === 'shift' ? { nowMs: Date.now() + (change.ms ?? 0) } : {});
  // Only those that decide: Content-Type is anybody's.
  const headers = request.headers.filter(([name]) => name !== 'Content-Type');
  const [name, value] = headers[place % headers.length] ?? ['', ''];
  if (kind === 'body') {
    const changed = Buffer.from(body);
    changed.writeUInt8((changed.readUInt8(place % body.length) + (change.byte ?? 1)) % 256, place % body.length);
    return { headers, body: changed };
  }
  if (kind === 'drop') return { headers: headers.filter((header) => header[0] !== name), body };
  if (kind === 'repeat') return { headers: [...headers, [name.toUpperCase(), value]], body };
  if (kind === 'encode') return { headers: [...headers, ['Content-Encoding', 'gzip']], body };
  if (kind === 'replace') return setHeader({ headers, body }, name, () => change.by ?? '');
  if (kind === 'letter') {
    const index = (change.place ?? 0) % value.length;
    return setHeader(
      { headers, body },
      name,
      (text) => `${text.slice(0, index)}${text[index] === '1' ? '2' : '1'}${text.slice(index + 1)}`,
    );
  }
  return { headers, body };
};

test('a refused request is explained by exactly one failed line, and never by a digest or a secret', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...schemes), mutation, fc.nat(), async (scheme, change, seed) => {
      const endpoint = endpoints[scheme] as TestEndpoint;
      const body = eventOf(endpoint.partner, `property ${seed}`).body;
      const request = mutate(endpoint, body, change);
      const id = await keepRejected(hub, endpoint, request);
      if (id === null) return; // Upper case for lower case in hexadecimal digits, for example.
      const answer = await read(hub, companyId, `/receipts/${id}/explain`);
      const explanation = answer.json<Explanation>();
      expect(failedOf(explanation)).toHaveLength(1);
      expect(failedOf(explanation)).not.toEqual(['decision']);
      const stamps = request.headers.flatMap(([, value]) => [value, /t=([^,]*)/.exec(value)?.[1] ?? '']);
      for (const { secret } of Object.values(endpoints)) {
        expect(answer.body).not.toContain(secret);
        for (const key of [secret, Buffer.from(secret.replace('whsec_', ''), 'base64')])
          for (const preamble of ['', ...stamps.flatMap((t) => [`${t}.`, `${t}:`, `msg_1.${t}.`])]) {
            const digest = createHmac('sha256', key).update(preamble).update(request.body).digest();
            for (const encoding of ['hex', 'base64', 'base64url'] as const)
              expect(answer.body.toLowerCase()).not.toContain(digest.toString(encoding).toLowerCase());
          }
      }
    }),
    { numRuns: 80 },
  );
});

test('every reason to refuse belongs to a step of at least one family', () => {
  const known = new Set(families.flatMap((family) => stepsOf(family).flatMap(({ reasons }) => reasons)));
  expect(Object.keys(verificationFailures).filter((reason) => !known.has(reason))).toEqual([]);
  expect(Object.values(profiles).every(({ family }) => stepsOf(family).length > 3)).toBe(true);
});

test('bodies of any depth and shape are explained, in bounded work', async () => {
  const endpoint = endpoints['benevity-hmac'] as TestEndpoint;
  const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const objects = `${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}`;
  const long = `${'['.repeat(2_300)}${'0,'.repeat(5_000)}0${']'.repeat(2_300)}`;
  const lines = '\n'.repeat(16_000);
  for (const text of [deep(8_000), deep(1_000), objects, long, '', '\u0000', '"\\ud800"', lines, `${lines}x`]) {
    const request = signedRequest(endpoint, Buffer.from(text), { secret: 'another secret' });
    const id = await keepRejected(hub, endpoint, request);
    const answer = await read(hub, companyId, `/receipts/${id}/explain`);
    expect(answer.statusCode, text.slice(0, 20)).toBe(200);
    expect(failedOf(answer.json<Explanation>())).toEqual(['signature']);
  }
});
