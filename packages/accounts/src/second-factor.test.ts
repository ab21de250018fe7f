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
const totp = (uri: string, stepsAhead = 0): string => {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + stepsAhead));
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
    // Not the code that turned the factor on: that one is spent.
    const code = totp(started.body.totpUri, 1);
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

  const arrange = async () => {
    const { id: companyId } = await hub.company();
    const person = await hub.person(companyId, 'viewer');
    const cookie = await hub.signIn(person.email);
    const { body } = await hub.call('POST', '/api/v1/auth/totp', { cookie, body: { password } });
    const code = totp(body.totpUri);
    const confirmed = await hub.call('POST', '/api/v1/auth/totp/confirm', { cookie, body: { code } });
    const signIn = async (given: string) => {
      const first = await hub.call('POST', '/api/v1/auth/sign-in', { body: { email: person.email, password } });
      return hub.call('POST', '/api/v1/auth/second-factor', { cookie: first.cookie, body: { code: given } });
    };
    return { companyId, person, started: body, cookie: confirmed.cookie, code, signIn };
  };

  it('takes a code once, and none older than the last one taken', async () => {
    const { started, code, signIn } = await arrange();
    const next = totp(started.totpUri, 1);
    const answers = await Promise.all([signIn(next), signIn(next)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401]);
    expect((await signIn(next)).status).toBe(401);
    expect((await signIn(code)).status).toBe(401);
  });

  it('counts wrong codes, not people who sign in from one address', async () => {
    const { person, started, signIn } = await arrange();
    for (const code of started.backupCodes) expect((await signIn(code)).status).toBe(200);
    expect(started.backupCodes.length).toBeGreaterThanOrEqual(10);
    expect((await signIn(totp(started.totpUri, 1))).status).toBe(200);
    const statuses: number[] = [];
    // A challenge takes five codes; four each, so that it is the person's own count that ends the guessing.
    for (let round = 0; round < 3; round += 1) {
      const { cookie } = await hub.call('POST', '/api/v1/auth/sign-in', { body: { email: person.email, password } });
      for (let guess = 0; guess < 4; guess += 1)
        statuses.push(
          (await hub.call('POST', '/api/v1/auth/second-factor', { cookie, body: { code: '000000' } })).status,
        );
    }
    expect([statuses.at(0), statuses.at(-1)]).toEqual([401, 429]);
  });

  it('leaves an event of every wrong code', async () => {
    const { companyId, signIn } = await arrange();
    await signIn('000000');
    const events = await hub.database.owner`
      select 1 from audit_event where company_id = ${companyId} and type = 'auth.sign_in_failed'`;
    expect(events).toHaveLength(1);
  });

  it('is not replaced while it is on', async () => {
    const { started, cookie, signIn } = await arrange();
    const again = await hub.call('POST', '/api/v1/auth/totp', { cookie, body: { password } });
    expect([again.status, again.body.code]).toEqual([409, 'accounts.second_factor_enabled']);
    expect((await signIn(totp(started.totpUri, 1))).status).toBe(200);
  });
});
