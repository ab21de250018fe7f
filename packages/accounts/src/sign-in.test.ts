import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { password, startTestHub } from './test-hub.ts';

let hub: Awaited<ReturnType<typeof startTestHub>>;
let companyId: string;
beforeAll(async () => {
  hub = await startTestHub();
  companyId = (await hub.company()).id;
});
afterAll(() => hub.stop());

const attempt = (email: string, given = password, ip?: string) =>
  hub.call('POST', '/api/v1/auth/sign-in', { body: { email, password: given }, ...(ip === undefined ? {} : { ip }) });

describe('signing in', () => {
  it('answers with the person and the companies, and sets a cookie that scripts cannot read', async () => {
    const { id, email } = await hub.person(companyId, 'operator');
    const answer = await attempt(email.toUpperCase());
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ person: { id, email }, companies: [{ companyId, role: 'operator' }] });
    expect(answer.cookies).toHaveLength(1);
    expect(answer.cookies[0]).toMatch(/^hub\.session_token=[^;]+; Max-Age=43200; Path=\/; HttpOnly; SameSite=Lax$/);
    const session = await hub.call('GET', '/api/v1/auth/session', { cookie: answer.cookie });
    expect(session.body).toMatchObject({ person: { id, email }, companyId, role: 'operator' });
    expect(session.body.scopes).toEqual(['data:read', 'deliveries:read', 'deliveries:replay']);
  });

  it('stores of the token only its hash', async () => {
    const { email } = await hub.person(companyId, 'viewer');
    const { cookie } = await attempt(email);
    const token = decodeURIComponent(cookie.split('=')[1] ?? '').split('.')[0] ?? '';
    expect(token).toHaveLength(32);
    const rows = await hub.database.owner`select * from session`;
    expect(JSON.stringify(rows)).not.toContain(token);
  });

  it('gives one answer for an unknown address, a wrong password and a person without a company', async () => {
    const known = await hub.person(companyId, 'viewer');
    const lost = await hub.person(companyId, 'viewer');
    await hub.database.owner`update membership set disabled_at = now() where person_id = ${lost.id}`;
    const answers = [
      await attempt('nobody@example.org'),
      await attempt(known.email, 'wrong'),
      await attempt(lost.email),
    ];
    const shown = answers.map(({ status, body, cookies }) => ({ status, cookies, ...body, requestId: '' }));
    expect(shown[0]).toMatchObject({ status: 401, code: 'accounts.sign_in_failed', cookies: [] });
    expect(shown[1]).toEqual(shown[0]);
    expect(shown[2]).toEqual(shown[0]);
    const left = await hub.database.owner`select 1 from session where person_id = ${lost.id}`;
    expect(left).toHaveLength(0);
  });

  it('takes as long for an unknown address as for a wrong password', async () => {
    const { email } = await hub.person(companyId, 'viewer');
    const takesMs = async (address: string, round: number): Promise<number> => {
      const startedAtMs = performance.now();
      await attempt(address, 'wrong', `198.51.100.${round}`);
      return performance.now() - startedAtMs;
    };
    // In turns, and the best of each: a busy machine slows single attempts, never the fastest of them.
    const [unknown, known]: [number[], number[]] = [[], []];
    for (let round = 0; round < 7; round += 1) {
      unknown.push(await takesMs('nobody-there@example.org', round));
      known.push(await takesMs(email, round));
    }
    const ratio = Math.min(...unknown) / Math.min(...known);
    // A hash skipped for either of them would show as a factor of five and more.
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2);
  });

  it('stops guessing at one account after ten attempts from an address, in every process, until the window ends', async () => {
    const { email } = await hub.person(companyId, 'viewer');
    const ip = '203.0.113.1';
    const answers = await Promise.all(Array.from({ length: 14 }, () => attempt(email, 'wrong', ip)));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(10);
    const limited = answers.filter(({ status }) => status === 429);
    expect(limited).toHaveLength(4);
    expect(limited[0]?.body.code).toBe('accounts.too_many_attempts');
    expect(Number(limited[0]?.headers['retry-after'])).toBeGreaterThan(800);
    expect((await attempt(email, password, ip)).status).toBe(429);
    expect((await attempt(email, password, '203.0.113.2')).status).toBe(200);
    hub.clock.advanceMs(15 * 60_000);
    expect((await attempt(email, password, ip)).status).toBe(200);
  });

  it('names the offending field of a malformed request', async () => {
    const answer = await hub.call('POST', '/api/v1/auth/sign-in', { body: { email: 'x', password: '', extra: 1 } });
    expect(answer.status).toBe(400);
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toEqual([
      '/body/email',
      '/body/password',
      '/body/extra',
    ]);
  });
});

describe('the audit log', () => {
  const eventsOf = (personId: string) => hub.database.owner`
    select type, result, company_id::text as "companyId" from audit_event where actor_id = ${personId} order by id`;

  it('has every sign-in, failed attempt and sign-out, in each company of the person', async () => {
    const { id, email } = await hub.person(companyId, 'viewer');
    const second = await hub.company();
    await hub.database
      .owner`insert into membership (company_id, person_id, role) values (${second.id}, ${id}, 'viewer')`;
    await attempt(email, 'wrong');
    const cookie = await hub.signIn(email);
    await hub.call('POST', '/api/v1/auth/sign-out', { cookie, companyId });
    expect([...(await eventsOf(id))].map((event) => [event['type'], event['result']])).toEqual([
      ['auth.sign_in_failed', 'failure'],
      ['auth.sign_in_failed', 'failure'],
      ['auth.signed_in', 'success'],
      ['auth.signed_in', 'success'],
      ['auth.signed_out', 'success'],
    ]);
  });

  it('does not hold the address of a stranger', async () => {
    await attempt('stranger@example.org', 'wrong');
    const [row] = await hub.database.owner`
      select count(*)::int as count from audit_event where position('stranger'::bytea in body) > 0`;
    expect(row?.['count']).toBe(0);
    expect((await eventsOf('anonymous')).length).toBeGreaterThan(0);
  });

  it('decides: a sign-in that cannot be recorded leaves no session', async () => {
    const { id, email } = await hub.person(companyId, 'viewer');
    await hub.database.owner`revoke insert on audit_event from hub_system`;
    const answer = await attempt(email);
    await hub.database.owner`grant insert on audit_event to hub_system`;
    expect([answer.status, answer.cookies]).toEqual([500, []]);
    expect(await hub.database.owner`select 1 from session where person_id = ${id}`).toHaveLength(0);
  });
});

describe('sessions', () => {
  it('end at sign-out, and the cookie is gone with them', async () => {
    const { email } = await hub.person(companyId, 'viewer');
    const cookie = await hub.signIn(email);
    const out = await hub.call('POST', '/api/v1/auth/sign-out', { cookie });
    expect(out.status).toBe(204);
    expect(out.cookies[0]).toContain('Max-Age=0');
    expect((await hub.call('GET', '/api/v1/auth/session', { cookie })).status).toBe(401);
  });

  it('are listed without tokens and can be ended one by one or all but the present one', async () => {
    const { email } = await hub.person(companyId, 'viewer');
    const cookies = [await hub.signIn(email), await hub.signIn(email), await hub.signIn(email)];
    const cookie = cookies[0] ?? '';
    const { body } = await hub.call('GET', '/api/v1/auth/sessions', { cookie });
    expect(body.data).toHaveLength(3);
    expect(Object.keys(body.data[0]).sort()).toEqual([
      'createdAt',
      'expiresAt',
      'id',
      'ipAddress',
      'isCurrent',
      'userAgent',
    ]);
    expect(body.data[0]).toMatchObject({ ipAddress: '192.0.2.1', userAgent: 'test browser' });
    const current = await hub.call('GET', '/api/v1/auth/session', { cookie: cookies[1] ?? '' });
    const ended = await hub.call('DELETE', `/api/v1/auth/sessions/${current.body.sessionId}`, { cookie });
    expect(ended.status).toBe(204);
    expect((await hub.call('GET', '/api/v1/auth/session', { cookie: cookies[1] ?? '' })).status).toBe(401);
    const others = await hub.call('POST', '/api/v1/auth/sessions/revoke-others', { cookie });
    expect(others.body).toEqual({ ended: 1 });
    expect((await hub.call('GET', '/api/v1/auth/session', { cookie: cookies[2] ?? '' })).status).toBe(401);
    expect((await hub.call('GET', '/api/v1/auth/session', { cookie })).status).toBe(200);
  });

  it('of others cannot be ended, nor told from absent ones', async () => {
    const [one, two] = [await hub.person(companyId, 'viewer'), await hub.person(companyId, 'viewer')];
    const [cookie, otherCookie] = [await hub.signIn(one.email), await hub.signIn(two.email)];
    const other = await hub.call('GET', '/api/v1/auth/session', { cookie: otherCookie });
    const answer = await hub.call('DELETE', `/api/v1/auth/sessions/${other.body.sessionId}`, { cookie });
    expect([answer.status, answer.body.code]).toEqual([404, 'accounts.session_not_found']);
    expect((await hub.call('GET', '/api/v1/auth/session', { cookie: otherCookie })).status).toBe(200);
  });

  it('end after twelve hours', async () => {
    const { email } = await hub.person(companyId, 'viewer');
    const cookie = await hub.signIn(email);
    const now = hub.clock.nowMs();
    hub.clock.setMs(Date.now() + 12 * 3_600_000 + 1_000);
    expect((await hub.call('GET', '/api/v1/auth/session', { cookie })).status).toBe(401);
    hub.clock.setMs(now);
  });

  it('cannot be made up: another signature is refused', async () => {
    const { email } = await hub.person(companyId, 'viewer');
    const cookie = await hub.signIn(email);
    const [name, value = ''] = cookie.split('=');
    const forged = `${name}=${encodeURIComponent(`${decodeURIComponent(value).split('.')[0]}.${'A'.repeat(43)}=`)}`;
    expect((await hub.call('GET', '/api/v1/auth/session', { cookie: forged })).status).toBe(401);
    for (const junk of ['', 'x', '%', '.', 'a.b', '%00.%00'])
      expect((await hub.call('GET', '/api/v1/auth/session', { cookie: `${name}=${junk}` })).status).toBe(401);
  });
});

describe('a person with several companies', () => {
  it('names the company of each request, among their own only', async () => {
    const { id, email } = await hub.person(companyId, 'company_admin');
    const second = await hub.company();
    const foreign = await hub.company();
    await hub.database
      .owner`insert into membership (company_id, person_id, role) values (${second.id}, ${id}, 'company_admin')`;
    const cookie = await hub.signIn(email);
    const without = await hub.call('GET', '/api/v1/people', { cookie });
    expect([without.status, without.body.errors[0].pointer]).toEqual([400, '/headers/x-company-id']);
    const malformed = await hub.call('GET', '/api/v1/people', { cookie, companyId: 'x' });
    expect([malformed.status, malformed.body.errors[0].pointer]).toEqual([400, '/headers/x-company-id']);
    const stranger = await hub.call('GET', '/api/v1/people', { cookie, companyId: foreign.id });
    expect([stranger.status, stranger.body.code]).toEqual([404, 'request.not_found']);
    const there = await hub.call('GET', '/api/v1/company', { cookie, companyId: second.id });
    expect(there.body.id).toBe(second.id);
    // Who is signed in can be asked without choosing: the answer lists what there is to choose from.
    const session = await hub.call('GET', '/api/v1/auth/session', { cookie });
    expect(session.body.companies).toHaveLength(2);
  });
});
