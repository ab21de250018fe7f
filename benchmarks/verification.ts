/**
 * What one webhook costs before it is stored: verifying the signature per scheme and body size, reading the event, and
 * sealing the receipt. One thread, in process, CPU-bound.
 * Baseline: the `standardwebhooks` library, on the scheme that both know, rounds interleaved.
 * Target: at least as fast as the library.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createCrypto, type Sealer } from '@impact-hub/crypto';
import { systemClock } from '@impact-hub/core';
import {
  makeEvent,
  mintToken,
  partnerOf,
  profiles,
  readEvent,
  readPinnedKeys,
  secretKey,
  signRequest,
  verifyBasic,
  verifyHmac,
  verifyJwt,
  type SchemeName,
} from '@impact-hub/impact-in';
import { Webhook } from 'standardwebhooks';
import { median, printTable } from './measure/describe-machine.ts';
import { openDatabase } from './measure/open-database.ts';
import { startBenchStores } from './measure/start-stores.ts';
import { printTargets } from './measure/targets.ts';
import type { Benchmark } from './run.ts';

type Work = { name: string; bodyBytes: number; run(): void | Promise<void> };

const secret = `whsec_${randomBytes(32).toString('base64')}`;
const libraryName = 'standardwebhooks library';
const sizes = [1_024, 10_240, 102_400] as const;
const schemes = ['benevity-hmac', 'goodera-hmac', 'workday-hmac', 'standard-webhooks'] as const satisfies SchemeName[];

const bodyOf = (bytes: number): Buffer => {
  const { payload, body } = makeEvent('benevity', { seed: 'bench', nowMs: Date.now() });
  return Buffer.from(JSON.stringify({ ...payload, filler: 'x'.repeat(Math.max(0, bytes - body.length - 12)) }));
};

/** As Node hands them over: names and values in turn, with what every client sends. */
const rawHeadersOf = (headers: Record<string, string>): string[] =>
  Object.entries({ Host: 'hub.example', 'User-Agent': 'bench', Accept: '*/*', ...headers }).flat();

const verifyWork = (scheme: (typeof schemes)[number], body: Buffer): Work => {
  const profile = profiles[scheme];
  const key = secretKey(secret, profile.keyEncoding);
  if (key === null) throw new Error('the secret is not usable');
  const secrets = [{ id: 'first', key }];
  const rawHeaders = rawHeadersOf(signRequest({ scheme, secret, body, nowMs: Date.now(), eventId: 'msg_1' }).headers);
  return {
    name: `verify ${scheme}`,
    bodyBytes: body.length,
    run: () => {
      if (!verifyHmac({ profile, secrets, rawHeaders, body, nowMs: Date.now() }).valid) throw new Error('refused');
    },
  };
};

const libraryWork = (body: Buffer): Work => {
  const webhook = new Webhook(secret);
  const { headers } = signRequest({ scheme: 'standard-webhooks', secret, body, nowMs: Date.now(), eventId: 'msg_1' });
  return {
    name: libraryName,
    bodyBytes: body.length,
    // The signature only, as in ours; reading the JSON is measured apart.
    run: () => void webhook.verify(body, headers, { jsonParse: false }),
  };
};

/** Of no body: the request says who sends, not what. */
const basicWork = (): Work => {
  const key = secretKey(secret, 'utf8');
  if (key === null) throw new Error('the secret is not usable');
  const passwords = [{ id: 'first', key }];
  const credentials = Buffer.from(`workday:${secret}`).toString('base64');
  const rawHeaders = rawHeadersOf({ Authorization: `Basic ${credentials}` });
  return {
    name: 'verify workday-basic',
    bodyBytes: sizes[0],
    run: () => {
      if (!verifyBasic({ username: 'workday', passwords, rawHeaders }).valid) throw new Error('refused');
    },
  };
};

/** Without the record of what the token was used for, which is one more statement in the database. */
const verifyToken = async (algorithm: 'ES256' | 'RS256'): Promise<Work> => {
  const { privateKey, publicKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const keys = await readPinnedKeys({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'first' }] });
  const iat = Math.floor(Date.now() / 1_000);
  const claims = { iss: 'issuer', aud: 'audience', jti: 'first', iat, exp: iat + 3_600 };
  const token = mintToken({ algorithm, keyId: 'first', privateKey, claims });
  const request = {
    profile: profiles['workday-jwt'],
    trust: { issuer: 'issuer', audience: 'audience', thumbprints: null },
    findKeys: () => keys,
    rawHeaders: rawHeadersOf({ Authorization: `Bearer ${token}` }),
  };
  return {
    name: `verify workday-jwt (${algorithm})`,
    bodyBytes: sizes[0],
    run: async () => {
      if (!(await verifyJwt({ ...request, nowMs: Date.now() })).valid) throw new Error('refused');
    },
  };
};

const readWork = (body: Buffer): Work => ({
  name: 'read event (JSON, schema)',
  bodyBytes: body.length,
  run: () => {
    if (readEvent(partnerOf.benevity, body).outcome !== 'event') throw new Error('not read');
  },
});

const sealWork = (sealer: Sealer, body: Buffer): Work => ({
  name: 'seal (XAES-256-GCM)',
  bodyBytes: body.length,
  run: () => void sealer.seal('0199c0de-0000-7000-8000-000000000000', body),
});

const sliceMs = 40;

const figure = (value: number, digits: number): string => (Number.isNaN(value) ? '–' : value.toFixed(digits));

/** Microseconds per call over a short while. */
const timeOnce = async ({ run }: Work): Promise<number> => {
  const startedAtMs = performance.now();
  let calls = 0;
  do {
    for (let more = 0; more < 20; more += 1) {
      const running = run();
      if (running !== undefined) await running;
    }
    calls += 20;
  } while (performance.now() - startedAtMs < sliceMs);
  return ((performance.now() - startedAtMs) * 1e3) / calls;
};

const measureAll = async (works: readonly Work[], rounds: number): Promise<Map<Work, number>> => {
  const times = new Map(works.map((work) => [work, [] as number[]]));
  for (const work of works) await timeOnce(work);
  for (let round = 0; round < rounds; round += 1) for (const work of works) times.get(work)?.push(await timeOnce(work));
  return new Map([...times].map(([work, values]) => [work, median(values)]));
};

/** A sealer as the inbox has one; its key is loaded from a database once. */
const withSealer = async (use: (sealer: Sealer) => Promise<void>): Promise<void> => {
  const stores = await startBenchStores();
  const { db, rootKey } = await openDatabase(stores);
  const crypto = createCrypto({ db, rootKey, clock: systemClock });
  try {
    await use(await crypto.openSealer({ companyId: stores.credentials.companyId, purpose: 'impact_in.receipt' }));
  } finally {
    crypto.close();
    await db.close();
    await stores.stop();
  }
};

export const benchmark: Benchmark = {
  run: ({ quick }) =>
    withSealer(async (sealer) => {
      const tokenWorks = await Promise.all([verifyToken('ES256'), verifyToken('RS256')]);
      const works = sizes
        .map(bodyOf)
        .flatMap((body) => [
          ...schemes.map((scheme) => verifyWork(scheme, body)),
          libraryWork(body),
          readWork(body),
          sealWork(sealer, body),
        ])
        .concat(basicWork(), tokenWorks);
      const times = await measureAll(works, quick ? 1 : 9);
      const of = (name: string, bytes: number): number =>
        [...times].find(([work]) => work.name === name && work.bodyBytes === bytes)?.[1] ?? Number.NaN;
      const names = [...new Set(works.map((work) => work.name))];
      printTable(
        names.map((name) => ({
          work: name,
          ...Object.fromEntries(sizes.map((bytes) => [`µs at ${bytes / 1_024} KB`, figure(of(name, bytes), 1)])),
          'µs per further KB': figure((of(name, 102_400) - of(name, 1_024)) / 99, 2),
        })),
      );
      process.stdout.write('\n');
      const measured = of(libraryName, 1_024) / of('verify standard-webhooks', 1_024);
      printTargets([{ what: 'speed against the library at 1 KB', measured, target: 'at least', limit: 1, unit: '×' }]);
    }),
};
