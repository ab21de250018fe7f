import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { password, startTestHub } from './test-hub.ts';

let hub: Awaited<ReturnType<typeof startTestHub>>;
beforeAll(async () => {
  hub = await startTestHub();
});
afterAll(() => hub.stop());

/** A company with a signed-in administrator. */
const arrange = async (role: 'company_admin' | 'system_admin' = 'company_admin') => {
  const { id: companyId } = await hub.company();
  const admin = await hub.person(companyId, role);
  return { companyId, admin, cookie: await hub.signIn(admin.email) };
};

const invite = (cookie: string, email: string, role: string) =>
  hub.call('POST', '/api/v1/people', { cookie, body: { email, name: 'Invited', role } });
const accept = (token: string, given = password, ip = '192.0.2.50') =>
  hub.call('POST', '/api/v1/auth/accept-invitation', { body: { token, password: given }, ip });

describe('inviting', () => {
  it('makes a person only when the invitation is accepted, once', async () => {
    const { companyId, cookie } = await arrange();
    const invited = await invite(cookie, 'New.Person@Example.org', 'operator');
    expect(invited.status).toBe(201);
    expect(invited.body).toMatchObject({ email: 'new.person@example.org', role: 'operator' });
    expect(await hub.database.owner`select 1 from person where email = 'new.person@example.org'`).toHaveLength(0);
    expect((await accept(invited.body.token, 'too short')).status).toBe(400);
    const accepted = await accept(invited.body.token);
    expect(accepted.body).toMatchObject({
      email: 'new.person@example.org',
      company: { id: companyId },
      role: 'operator',
    });
    expect((await accept(invited.body.token)).body.code).toBe('accounts.invitation_invalid');
    const session = await hub.call('GET', '/api/v1/auth/session', {
      cookie: await hub.signIn('new.person@example.org'),
    });
    expect(session.body).toMatchObject({ companyId, role: 'operator' });
    expect((await invite(cookie, 'new.person@example.org', 'viewer')).body.code).toBe('accounts.already_member');
  });

  it('shows nothing of a person other companies know, and gives nobody their account', async () => {
    const known = await hub.person((await hub.company()).id, 'viewer');
    const { companyId, cookie } = await arrange();
    const invited = await invite(cookie, known.email, 'viewer');
    const fresh = await invite(cookie, 'unknown@example.org', 'viewer');
    expect(Object.keys(invited.body)).toEqual(Object.keys(fresh.body));
    const stolen = await accept(invited.body.token, 'another password entirely');
    expect([stolen.status, stolen.body.code]).toEqual([401, 'accounts.sign_in_failed']);
    expect((await accept(invited.body.token)).body.company.id).toBe(companyId);
  });

  it('limits guesses at the password of a known person through an invitation', async () => {
    const known = await hub.person((await hub.company()).id, 'viewer');
    const { cookie } = await arrange();
    const { token } = (await invite(cookie, known.email, 'viewer')).body;
    for (let guess = 0; guess < 10; guess += 1) await accept(token, `wrong password ${guess}`, '192.0.2.51');
    expect((await accept(token, password, '192.0.2.51')).status).toBe(429);
  });

  it('is worth no more than its inviter: one who left or stepped down has invited nobody', async () => {
    const { companyId, cookie } = await arrange();
    const inviter = await hub.person(companyId, 'company_admin');
    const theirs = await hub.signIn(inviter.email);
    const change = (body: object) => hub.call('PATCH', `/api/v1/people/${inviter.id}`, { cookie, body });
    const { token } = (await invite(theirs, 'accomplice@example.org', 'company_admin')).body;
    await change({ disabled: true });
    expect((await accept(token)).body.code).toBe('accounts.invitation_invalid');
    await change({ disabled: false, role: 'operator' });
    expect((await accept(token)).body.code).toBe('accounts.invitation_invalid');
    expect(await hub.database.owner`select 1 from person where email = 'accomplice@example.org'`).toHaveLength(0);
    await change({ role: 'company_admin' });
    expect((await accept(token)).status).toBe(200);
  });

  it('can be seen and withdrawn by the company alone', async () => {
    const { companyId, cookie } = await arrange();
    const stranger = await arrange();
    const { token, invitationId } = (await invite(cookie, 'regretted@example.org', 'viewer')).body;
    const listed = await hub.call('GET', '/api/v1/people/invitations', { cookie });
    expect(listed.body.data).toMatchObject([{ id: invitationId, email: 'regretted@example.org', acceptedAt: null }]);
    expect(JSON.stringify(listed.body)).not.toContain(token);
    expect((await hub.call('GET', '/api/v1/people/invitations', { cookie: stranger.cookie })).body.data).toEqual([]);
    const withdraw = (by: string) => hub.call('DELETE', `/api/v1/people/invitations/${invitationId}`, { cookie: by });
    expect((await withdraw(stranger.cookie)).body.code).toBe('accounts.invitation_not_found');
    expect((await withdraw(cookie)).status).toBe(204);
    expect((await withdraw(cookie)).status).toBe(404);
    expect((await accept(token)).status).toBe(404);
    const audited = await hub.database.owner`
      select 1 from audit_event where company_id = ${companyId} and type = 'person.invitation_withdrawn'`;
    expect(audited).toHaveLength(1);
  });

  it('of one new address by two companies can be accepted at the same moment', async () => {
    const [one, two] = [await arrange(), await arrange()];
    const tokens = [
      (await invite(one.cookie, 'twice@example.org', 'viewer')).body.token,
      (await invite(two.cookie, 'twice@example.org', 'viewer')).body.token,
    ];
    const answers = await Promise.all(tokens.map((token) => accept(token)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(await hub.database.owner`select 1 from person where email = 'twice@example.org'`).toHaveLength(1);
  });

  it('expires after seven days', async () => {
    const { cookie } = await arrange();
    const { token } = (await invite(cookie, 'late@example.org', 'viewer')).body;
    await hub.database.owner`update invitation set expires_at = ${hub.clock.now()} where email = 'late@example.org'`;
    expect((await accept(token)).status).toBe(404);
  });
});

describe('roles', () => {
  it('above one’s own are neither granted nor touched', async () => {
    const { companyId, admin, cookie } = await arrange();
    expect((await invite(cookie, 'a@example.org', 'system_admin')).body.code).toBe('accounts.role_not_allowed');
    const higher = await hub.person(companyId, 'system_admin');
    const change = (body: object, personId: string) =>
      hub.call('PATCH', `/api/v1/people/${personId}`, { cookie, body });
    expect((await change({ role: 'viewer' }, higher.id)).body.code).toBe('accounts.role_not_allowed');
    expect((await change({ disabled: true }, higher.id)).body.code).toBe('accounts.role_not_allowed');
    expect((await change({ role: 'system_admin' }, admin.id)).body.code).toBe('accounts.role_not_allowed');
    expect((await hub.call('DELETE', `/api/v1/people/${higher.id}/sessions`, { cookie })).status).toBe(403);
  });

  it('below administrator manage nobody', async () => {
    const { companyId } = await arrange();
    for (const role of ['operator', 'auditor', 'viewer'] as const) {
      const cookie = await hub.signIn((await hub.person(companyId, role)).email);
      expect((await invite(cookie, 'b@example.org', 'viewer')).status).toBe(403);
      expect((await hub.call('GET', '/api/v1/people', { cookie })).status).toBe(403);
    }
  });

  it('count from the next request on, as does a disabled membership', async () => {
    const { companyId, cookie } = await arrange();
    const member = await hub.person(companyId, 'viewer');
    const theirs = await hub.signIn(member.email);
    const changed = await hub.call('PATCH', `/api/v1/people/${member.id}`, { cookie, body: { role: 'company_admin' } });
    expect(changed.body).toMatchObject({ id: member.id, role: 'company_admin', disabledAt: null });
    expect((await hub.call('GET', '/api/v1/people', { cookie: theirs })).status).toBe(200);
    await hub.call('PATCH', `/api/v1/people/${member.id}`, { cookie, body: { disabled: true } });
    expect((await hub.call('GET', '/api/v1/people', { cookie: theirs })).status).toBe(401);
    await hub.call('PATCH', `/api/v1/people/${member.id}`, { cookie, body: { disabled: false } });
    expect((await hub.call('GET', '/api/v1/people', { cookie: theirs })).status).toBe(200);
  });

  it('leave each company at least one administrator, also when two disable each other at once', async () => {
    const { companyId, admin, cookie } = await arrange();
    const alone = await hub.call('PATCH', `/api/v1/people/${admin.id}`, { cookie, body: { role: 'viewer' } });
    expect([alone.status, alone.body.code]).toEqual([409, 'accounts.last_administrator']);
    const second = await hub.person(companyId, 'company_admin');
    const secondCookie = await hub.signIn(second.email);
    const answers = await Promise.all([
      hub.call('PATCH', `/api/v1/people/${second.id}`, { cookie, body: { disabled: true } }),
      hub.call('PATCH', `/api/v1/people/${admin.id}`, { cookie: secondCookie, body: { disabled: true } }),
    ]);
    // The second is either too late to find an administrator left, or already disabled itself.
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const left = await hub.database.owner`
      select 1 from membership where company_id = ${companyId} and role = 'company_admin' and disabled_at is null`;
    expect(left).toHaveLength(1);
  });
});

describe('people', () => {
  it('are listed page by page, without those of other companies', async () => {
    const { companyId, admin, cookie } = await arrange();
    const other = await arrange();
    const added = [await hub.person(companyId, 'viewer'), await hub.person(companyId, 'operator')];
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await hub.call('GET', `/api/v1/people?limit=2${cursor}`, { cookie });
      seen.push(...body.data.map((member: { id: string }) => member.id));
      cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
    } while (cursor !== '');
    expect(seen.sort()).toEqual([admin.id, ...added.map(({ id }) => id)].sort());
    expect(seen).not.toContain(other.admin.id);
    const bad = await hub.call('GET', '/api/v1/people?cursor=nonsense', { cookie });
    expect([bad.status, bad.body.errors[0].pointer]).toEqual([400, '/query/cursor']);
  });

  it('of other companies are absent for every change', async () => {
    const { cookie } = await arrange();
    const other = await arrange();
    const change = await hub.call('PATCH', `/api/v1/people/${other.admin.id}`, { cookie, body: { role: 'viewer' } });
    const sessions = await hub.call('DELETE', `/api/v1/people/${other.admin.id}/sessions`, { cookie });
    expect([change.status, change.body.code]).toEqual([404, 'accounts.person_not_found']);
    expect([sessions.status, sessions.body.code]).toEqual([404, 'accounts.person_not_found']);
    expect((await hub.call('GET', '/api/v1/auth/session', { cookie: other.cookie })).status).toBe(200);
  });

  it('lose all their sessions at once when an administrator ends them', async () => {
    const { companyId, cookie } = await arrange();
    const member = await hub.person(companyId, 'viewer');
    const theirs = [await hub.signIn(member.email), await hub.signIn(member.email)];
    const ended = await hub.call('DELETE', `/api/v1/people/${member.id}/sessions`, { cookie });
    expect(ended.body).toEqual({ ended: 2 });
    for (const each of theirs)
      expect((await hub.call('GET', '/api/v1/auth/session', { cookie: each })).status).toBe(401);
  });
});

describe('a person of two companies', () => {
  it('keeps the sessions when an administrator of one of them wants to end them', async () => {
    const [one, two] = [await arrange(), await arrange()];
    const member = await hub.person(one.companyId, 'viewer');
    await accept((await invite(two.cookie, member.email, 'viewer')).body.token);
    const theirs = await hub.signIn(member.email);
    const ended = await hub.call('DELETE', `/api/v1/people/${member.id}/sessions`, { cookie: two.cookie });
    expect([ended.status, ended.body.code]).toEqual([409, 'accounts.person_of_other_companies']);
    const still = await hub.call('GET', '/api/v1/auth/session', { cookie: theirs, companyId: one.companyId });
    expect(still.status).toBe(200);
  });
});

describe('an address taken by somebody else', () => {
  const release = (cookie: string, email: string) =>
    hub.call('POST', '/api/v1/people/release-address', { cookie, body: { email } });

  it('is released by the administrator of the system alone, and belongs to whoever accepts next', async () => {
    const [victim, attacker, system] = [await arrange(), await arrange(), await arrange('system_admin')];
    const email = 'ceo@victim.example';
    await accept((await invite(attacker.cookie, email, 'viewer')).body.token, 'the squatter’s password');
    const signIn = (given: string) =>
      hub.call('POST', '/api/v1/auth/sign-in', { body: { email, password: given }, ip: '192.0.2.60' });
    const squatter = (await signIn('the squatter’s password')).cookie;
    const { token } = (await invite(victim.cookie, email, 'company_admin')).body;
    expect((await accept(token)).status).toBe(401);
    expect((await release(victim.cookie, email)).body.code).toBe('accounts.system_admin_only');
    expect((await release(system.cookie, email)).status).toBe(204);
    expect((await hub.call('GET', '/api/v1/auth/session', { cookie: squatter })).status).toBe(401);
    expect((await signIn('the squatter’s password')).status).toBe(401);
    expect((await accept(token)).status).toBe(200);
    expect((await signIn(password)).body.companies).toMatchObject([{ companyId: victim.companyId }]);
    const audited = await hub.database.owner`
      select company_id::text from audit_event where type = 'person.address_released'`;
    expect(audited.map((row) => row['company_id'])).toEqual([attacker.companyId]);
  });

  it('is not released when its owner has proven it, nor one’s own', async () => {
    const system = await arrange('system_admin');
    const proven = await hub.person(system.companyId, 'viewer');
    await hub.database.owner`update person set email_verified = true where id = ${proven.id}`;
    expect((await release(system.cookie, proven.email)).status).toBe(409);
    expect((await release(system.cookie, system.admin.email)).status).toBe(409);
    expect((await release(system.cookie, 'nobody@nowhere.example')).status).toBe(404);
  });
});

describe('companies', () => {
  it('are made by the administrator of the system alone, with an invitation for their first administrator', async () => {
    const body = { name: 'Next', administrator: { email: 'first@next.example', name: 'First' } };
    const lower = await arrange();
    expect((await hub.call('POST', '/api/v1/companies', { cookie: lower.cookie, body })).body.code).toBe(
      'accounts.system_admin_only',
    );
    const { cookie } = await arrange('system_admin');
    const made = await hub.call('POST', '/api/v1/companies', { cookie, body });
    expect(made.status).toBe(201);
    await accept(made.body.invitation.token);
    const session = await hub.call('GET', '/api/v1/auth/session', { cookie: await hub.signIn('first@next.example') });
    expect(session.body).toMatchObject({ companyId: made.body.id, role: 'company_admin' });
  });
});
