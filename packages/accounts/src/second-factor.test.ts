import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { password, startTestHub } from './test-hub.ts';

let hub: Awaited<ReturnType<typeof startTestHub>>;
beforeAll(async () => {
  hub = await startTestHub();
});
afterAll(() => hub.stop());

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const fromBase32 = (text: string): Buffer => {
  const bits = [...text.replaceAll('=', '')]
    .map((letter) => base32.indexOf(letter).toString(2).padStart(5, '0'))
    .join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
};

/** RFC 6238 with its defaults: SHA-1, 30 s, six digits. */
const totp = (uri: string): string => {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const mac = createHmac('sha1', fromBase32(new URL(uri).searchParams.get('secret') ?? ''))
    .update(counter)
    .digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
};

describe('second factor', () => {
  it('is asked for after the password once it is set up; no session exists before it is given', async () => {
    const person = await hub.person((await hub.company()).id, 'viewer');
    const cookie = await hub.signIn(person.email);
    const wrong = await hub.call('POST', '/api/v1/auth/totp', { cookie, body: { password: 'wrong' } });
    expect(wrong.status).toBe(401);
    const started = await hub.call('POST', '/api/v1/auth/totp', { cookie, body: { password } });
    expect(started.status).toBe(200);
    expect(started.body.backupCodes.length).toBeGreaterThan(5);
    const confirmed = await hub.call('POST', '/api/v1/auth/totp/confirm', {
      cookie,
      body: { code: totp(started.body.totpUri) },
    });
    expect(confirmed.status).toBe(204);
    const stored = JSON.stringify(await hub.database.owner`select * from two_factor`);
    expect(stored).not.toContain(new URL(started.body.totpUri).searchParams.get('secret'));

    const before = await hub.database.owner`select 1 from session where person_id = ${person.id}`;
    const first = await hub.call('POST', '/api/v1/auth/sign-in', { body: { email: person.email, password } });
    expect([first.status, first.body]).toEqual([202, { secondFactor: 'totp' }]);
    expect(await hub.database.owner`select 1 from session where person_id = ${person.id}`).toHaveLength(before.length);
    expect((await hub.call('GET', '/api/v1/auth/session', { cookie: first.cookie })).status).toBe(401);
    const bad = await hub.call('POST', '/api/v1/auth/second-factor', {
      cookie: first.cookie,
      body: { code: '000000' },
    });
    expect([bad.status, bad.body.code]).toEqual([401, 'accounts.sign_in_failed']);
    const code = totp(started.body.totpUri);
    const second = await hub.call('POST', '/api/v1/auth/second-factor', { cookie: first.cookie, body: { code } });
    expect(second.status).toBe(200);
    expect(second.body.person.id).toBe(person.id);
    expect((await hub.call('GET', '/api/v1/auth/session', { cookie: second.cookie })).status).toBe(200);

    const again = await hub.call('POST', '/api/v1/auth/sign-in', { body: { email: person.email, password } });
    const [backup] = started.body.backupCodes;
    const byBackup = await hub.call('POST', '/api/v1/auth/second-factor', {
      cookie: again.cookie,
      body: { code: backup },
    });
    expect(byBackup.status).toBe(200);
  });
});
