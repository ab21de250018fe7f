import { createSecretKey, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Endpoint } from '../endpoints/endpoint.ts';
import { presetProfiles } from '../verification/preset-profiles.ts';
import { findSender, type SenderDeps } from './find-sender.ts';

test.each([
  [1_000, 256],
  [32_768, 256],
  [262_144, 32],
])(
  'a forged request of %i bytes costs a bounded number of signatures, however many claim its account',
  async (bytes, most) => {
    let tried = 0;
    const claim = (index: number): Endpoint =>
      ({
        id: String(index),
        companyId: String(index),
        partner: 'benevity',
        profile: presetProfiles['benevity-hmac'],
        allowsIp: null,
        get webhookSecrets() {
          tried += 1;
          return [{ id: 's', generation: 1, notAfterMs: Infinity, key: createSecretKey(randomBytes(32)) }];
        },
      }) as unknown as Endpoint;
    const claims = Array.from({ length: 400 }, (_, index) => claim(index));
    const nowMs = Date.now();
    const start = JSON.stringify({ organization_id: 'org' }).slice(0, -1);
    const body = Buffer.from(`${start}${' '.repeat(bytes - start.length - 1)}}`);
    const signature = `t=${Math.floor(nowMs / 1_000)},v1=${'ab'.repeat(32)}`;
    const arrival = {
      ip: '127.0.0.1',
      rawHeaders: ['X-Benevity-Signature', signature],
      body,
      nowMs,
      issuer: '',
      urlToken: null,
    };
    const deps = { directory: { findByHint: () => claims } } as unknown as SenderDeps;
    const sender = await findSender(deps, { partner: 'benevity', endpointId: null }, arrival, () => undefined);
    expect(sender).toEqual({ valid: false, endpoint: null, reason: 'signature_mismatch' });
    expect(tried).toBe(most);
  },
);
