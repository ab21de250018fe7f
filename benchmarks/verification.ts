/**
 * What one webhook costs before it is stored: verifying the signature per scheme and body size, reading the event, and
 * sealing the receipt. One thread, in process, CPU-bound.
 * Baseline: the `standardwebhooks` library, on the scheme that both know, rounds interleaved.
 * Target: at least as fast as the library.
 */
import { randomBytes } from 'node:crypto';
import { createCrypto, type Sealer } from '@impact-hub/crypto';
import { systemClock } from '@impact-hub/core';
import {
  makeEvent,
  partnerOf,
  profiles,
  readEvent,
  secretKey,
  signRequest,
  verifyHmac,
  type SchemeName,
} from '@impact-hub/impact-in';
import { Webhook } from 'standardwebhooks';
import { median, printTable } from './measure/describe-machine.ts';
import { openDatabase } from './measure/open-database.ts';
import { startBenchStores } from './measure/start-stores.ts';
import { printTargets } from './measure/targets.ts';
import type { Benchmark } from './run.ts';

type Work = { name: string; bodyBytes: number; run(): void };

const secret = `whsec_${randomBytes(32).toString('base64')}`;
const libraryName = 'standardwebhooks library';
const sizes = [1_024, 10_240, 102_400];
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

/** Microseconds per call over a short while. */
const timeOnce = ({ run }: Work): number => {
  const startedAtMs = performance.now();
  let calls = 0;
  do {
    for (let more = 0; more < 20; more += 1) run();
    calls += 20;
  } while (performance.now() - startedAtMs < sliceMs);
  return ((performance.now() - startedAtMs) * 1e3) / calls;
};

const measureAll = (works: readonly Work[], rounds: number): Map<Work, number> => {
  const times = new Map(works.map((work) => [work, [] as number[]]));
  for (const work of works) timeOnce(work);
  for (let round = 0; round < rounds; round += 1) for (const work of works) times.get(work)?.push(timeOnce(work));
  return new Map([...times].map(([work, values]) => [work, median(values)]));
};

/** A sealer as the inbox has one; its key is loaded from a database once. */
const withSealer = async (use: (sealer: Sealer) => void): Promise<void> => {
  const stores = await startBenchStores();
  const { db, rootKey } = await openDatabase(stores);
  const crypto = createCrypto({ db, rootKey, clock: systemClock });
  try {
    use(await crypto.openSealer({ companyId: stores.credentials.companyId, purpose: 'impact_in.receipt' }));
  } finally {
    crypto.close();
    await db.close();
    await stores.stop();
  }
};

export const benchmark: Benchmark = {
  run: ({ quick }) =>
    withSealer((sealer) => {
      const works = sizes
        .map(bodyOf)
        .flatMap((body) => [
          ...schemes.map((scheme) => verifyWork(scheme, body)),
          libraryWork(body),
          readWork(body),
          sealWork(sealer, body),
        ]);
      const times = measureAll(works, quick ? 1 : 9);
      const of = (name: string, bytes: number): number =>
        [...times].find(([work]) => work.name === name && work.bodyBytes === bytes)?.[1] ?? Number.NaN;
      const names = [...new Set(works.map((work) => work.name))];
      printTable(
        names.map((name) => ({
          work: name,
          ...Object.fromEntries(sizes.map((bytes) => [`µs at ${bytes / 1_024} KB`, of(name, bytes).toFixed(1)])),
          'µs per further KB': ((of(name, 102_400) - of(name, 1_024)) / 99).toFixed(2),
        })),
      );
      process.stdout.write('\n');
      const measured = of(libraryName, 1_024) / of('verify standard-webhooks', 1_024);
      printTargets([{ what: 'speed against the library at 1 KB', measured, target: 'at least', limit: 1, unit: '×' }]);
    }),
};
