import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspectApiKey } from '@impact-hub/api-keys';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createTestHub, type TestHub } from './support/test-hub.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const main = fileURLToPath(new URL('../apps/hub/src/main.ts', import.meta.url));

/** Every command is a process; ten at once want their time on a busy machine. */
vi.setConfig({ testTimeout: 90_000 });

let hub: TestHub;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let admin: { key: string; keyId: string };
let address: string;

beforeAll(async () => {
  [hub, directory] = await Promise.all([createTestHub(), temporaryDirectory()]);
  admin = await hub.key(await hub.company());
  address = await hub.server.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await hub.close();
  await directory.remove();
});

type Ended = { code: number | null; stdout: string; stderr: string };

/** Runs `hub keys …` as a person would, in a folder and an environment of the test's own. */
const keys = async (args: readonly string[], given: { env?: Record<string, string>; stdin?: string } = {}) => {
  const env = given.env ?? { HUB_URL: address, HUB_API_KEY: admin.key };
  const child = spawn(process.execPath, [main, 'keys', ...args], {
    cwd: directory.path,
    env: { PATH: process.env['PATH'], ...env },
    stdio: 'pipe',
  });
  const ended: Ended = { code: null, stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (ended.stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (ended.stderr += String(chunk)));
  child.stdin.on('error', () => undefined).end(given.stdin ?? '');
  [ended.code] = (await once(child, 'close')) as [number | null];
  return ended;
};

/** The same at a terminal, which `script` of util-linux lends it; undefined where there is none. */
const atTerminal = async (args: readonly string[], typed: string): Promise<Ended> => {
  const command = [process.execPath, main, 'keys', ...args].map((part) => `'${part}'`).join(' ');
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: directory.path,
    env: { PATH: process.env['PATH'], HUB_URL: address, HUB_API_KEY: admin.key },
    stdio: 'pipe',
  });
  const ended: Ended = { code: null, stdout: '', stderr: '' };
  let isAsked = false;
  child.stdout.on('data', (chunk) => {
    ended.stdout += String(chunk);
    if (isAsked || !ended.stdout.includes('to revoke it: ')) return;
    isAsked = true;
    child.stdin.write(typed);
  });
  [ended.code] = (await once(child, 'close')) as [number | null];
  return ended;
};
const hasTerminal = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') ?? false;

const json = async <T>(args: readonly string[]): Promise<T> => {
  const { code, stdout, stderr } = await keys([...args, '--json']);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
};

describe('the life of a key at the terminal', () => {
  test('it is made, used, shown, rotated, retired, disabled, enabled and revoked', async () => {
    const made = await keys(['create', '--name', 'Payroll', '--scope', 'data:read,report:view', '--expires-in', '20d']);
    const key = made.stdout.trim();
    expect(made.code, made.stderr).toBe(0);
    expect(made.stdout).toBe(`${key}\n`);
    expect(inspectApiKey(key)).toBe('well_formed');
    expect(made.stderr).toMatch(/only time the key is shown/);
    expect(made.stderr).not.toContain(key);
    const keyId = key.slice(10, 22);

    const [inspected, shown, access, listed, hygiene, stats] = await Promise.all([
      keys(['inspect', '-'], { stdin: `${key}\n`, env: {} }),
      keys(['show', keyId]),
      keys(['access', keyId]),
      keys(['list', '--status', 'active']),
      keys(['hygiene']),
      json<{ keys: { total: number } }>(['stats', '--last', '7d', '--key', keyId]),
    ]);
    expect(inspected).toMatchObject({ code: 0, stderr: '' });
    expect(inspected.stdout).toContain(keyId);
    expect(inspected.stdout).not.toContain(key);
    expect(shown.stdout).toMatch(/name +Payroll\n/);
    expect(shown.stdout).toMatch(/current +20\d\d-/);
    expect(access.stdout).toContain('/api/v1/');
    expect(listed.stdout).toMatch(new RegExp(`${keyId} +Payroll +live +active`));
    expect(hygiene.stdout).toMatch(new RegExp(`${keyId} +Payroll +Ends on `));
    expect(stats.keys.total).toBe(2);

    const rotated = await keys(['rotate', keyId, '--overlap', '24h', '--reason', 'Yearly']);
    // Once the new key is in use, the old one is ended on purpose only.
    expect((await hub.call('GET', '/admin/api-keys/stats', { key: rotated.stdout.trim() })).statusCode).toBe(403);
    await vi.waitFor(async () => {
      const { secrets } = await json<{ secrets: { firstUsedAt: string | null }[] }>(['show', keyId]);
      expect(secrets[0]?.firstUsedAt).not.toBeNull();
    });
    const overlapping = await keys(['rotate', keyId]);
    expect(overlapping).toMatchObject({ code: 1, stdout: '' });
    expect(overlapping.stderr).toContain(`hub keys retire-old ${keyId}`);
    expect(overlapping.stderr).toContain('--force');
    expect(overlapping.stderr).not.toMatch(/POST|`/);
    expect(rotated.code, rotated.stderr).toBe(0);
    expect(rotated.stdout.trim().slice(10, 22)).toBe(keyId);
    expect(rotated.stdout.trim()).not.toBe(key);
    expect((await json<{ endedSecrets: number }>(['retire-old', keyId])).endedSecrets).toBe(1);
    expect((await keys(['disable', keyId])).stdout).toBe(`Key ${keyId} is disabled.\n`);
    expect((await keys(['enable', keyId])).stdout).toBe(`Key ${keyId} is active.\n`);
    const unasked = await keys(['revoke', keyId]);
    expect(unasked).toMatchObject({ code: 2, stdout: '' });
    expect(unasked.stderr).toContain('--yes');
    const revoked = await keys(['revoke', keyId, '--yes', '--reason', 'Test over']);
    expect(revoked.stdout).toMatch(/was revoked/);
    expect(await json(['show', keyId])).toMatchObject({ status: 'revoked', revokeReason: 'Test over' });
  });

  test('the hub and its key come from flags, from standard input, or from what a start wrote', async () => {
    const file = join(directory.path, 'admin.key');
    const dataDir = join(directory.path, 'credentials');
    await writeFile(file, `${admin.key}\n`);
    await mkdir(dataDir);
    await writeFile(join(dataDir, 'credentials.json'), JSON.stringify({ baseUrl: address, apiKey: admin.key }));
    const ways = await Promise.all([
      keys(['list', '--url', address, '--api-key-file', file], { env: {} }),
      keys(['list', '--url', address, '--api-key-file', '-'], { env: {}, stdin: admin.key }),
      keys(['list'], { env: { HUB_DATA_DIR: dataDir } }),
    ]);
    for (const way of ways) {
      expect(way.code, way.stderr).toBe(0);
      expect(way.stdout).toContain(admin.keyId);
    }
    const elsewhere = await keys(['list', '--url', 'http://127.0.0.1:9'], { env: { HUB_DATA_DIR: dataDir } });
    expect(elsewhere).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('a key that exists', () => {
  const create = async (...args: string[]) =>
    (await json<{ keyId: string }>(['create', '--name', 'Of the test', '--scope', 'data:read', ...args])).keyId;

  test('is changed by what was given, and by nothing else', async () => {
    const keyId = await create('--metadata', 'team=payroll', '--metadata', 'formula=a=b', '--allow-ip', '192.0.2.1');
    expect(await json(['show', keyId])).toMatchObject({ metadata: { team: 'payroll', formula: 'a=b' } });
    const limited = ['--rate-limit', '5', '--allow-ip', '192.0.2.0/24', '--allow-ip', '2001:db8::1'];
    expect(await json(['change', keyId, '--name', 'Renamed', '--expires-at', '2099-01-31', ...limited])).toMatchObject({
      name: 'Renamed',
      rateLimitPerMinute: 5,
      allowedIps: ['192.0.2.0/24', '2001:db8::1'],
      expiresAt: '2099-01-31T00:00:00.000Z',
      metadata: { team: 'payroll' },
    });
    const opened = await keys(['change', keyId, '--never-expires', '--allow-any-ip', '--reason', 'Test']);
    expect(opened.stdout).toMatch(/name +Renamed\n/);
    expect(opened.stdout).toMatch(/allowed from +everywhere\n/);
    expect(opened.stdout).toMatch(/expires +never\n/);
    const [nothing, both, dismissed] = await Promise.all([
      keys(['change', keyId, '--reason', 'None']),
      keys(['change', keyId, '--expires-in', '9d', '--never-expires']),
      keys(['dismiss-anomaly', keyId]),
    ]);
    expect([nothing.code, both.code]).toEqual([2, 2]);
    expect(nothing.stderr).toContain('--allow-any-ip');
    expect(dismissed).toMatchObject({ code: 0, stdout: `Key ${keyId} is not flagged.\n` });
    const [audited] = await hub.database.owner`
      select convert_from(body, 'UTF8')::jsonb -> 'metadata' ->> 'reason' as reason from audit_event
      where type = 'api_key.changed' and resource_id = ${keyId} order by id desc limit 1`;
    expect(audited).toEqual({ reason: 'Test' });
  });

  test('is listed with the advice as the command to run, and in JSON as the hub answers', async () => {
    const keyId = await create();
    const [hygiene, page] = await Promise.all([
      keys(['hygiene']),
      json<{ data: { keyId: string }[]; nextCursor: null }>(['list', '--environment', 'live']),
    ]);
    expect(hygiene.stdout).toContain(`hub keys change ${keyId} --expires-in 90d`);
    expect(page.nextCursor).toBeNull();
    expect(page.data.map((key) => key.keyId)).toContain(keyId);
  });

  test.runIf(hasTerminal)('is revoked at a terminal only by typing its id', async () => {
    const keyId = await create();
    const [wrong, left, interrupted] = await Promise.all([
      atTerminal(['revoke', keyId], 'yes\n'),
      atTerminal(['revoke', keyId], '\u0004'),
      atTerminal(['revoke', keyId], '\u0003'),
    ]);
    for (const { code, stdout } of [wrong, left, interrupted]) {
      expect(code, stdout).toBe(2);
      expect(stdout).toMatch(/Nothing was revoked\.\r\n$/);
    }
    expect(await json(['show', keyId])).toMatchObject({ status: 'active' });
    expect(await atTerminal(['revoke', keyId], `${keyId}\n`)).toMatchObject({ code: 0 });
    expect(await json(['show', keyId])).toMatchObject({ status: 'revoked' });
  });
});

describe('what goes wrong', () => {
  test('is said in plain sentences, with 1 for a refusal and 2 for a mistake on the command line', async () => {
    const tooShort = admin.key.slice(0, -1);
    const [fields, missing, unreachable, noHub, keyAsId, noName, badDuration, cut, unknownOption] = await Promise.all([
      keys(['create', '--name', 'x', '--scope', 'data:read', '--allow-ip', 'nonsense']),
      keys(['show', 'AbsentKey000']),
      keys(['list'], { env: { HUB_URL: 'http://127.0.0.1:9', HUB_API_KEY: admin.key } }),
      keys(['list'], { env: {} }),
      keys(['show', admin.key]),
      keys(['create', '--scope', 'data:read']),
      keys(['rotate', 'AbsentKey000', '--overlap', 'soon']),
      keys(['inspect', '-'], { env: {}, stdin: tooShort }),
      keys(['list', `--api-key=${admin.key}`]),
    ]);
    expect(fields).toMatchObject({ code: 1, stdout: '' });
    expect(fields.stderr).toMatch(/\n {2}--allow-ip \(number 1\): Must be/);
    expect(fields.stderr).not.toMatch(/errors|body|allowedIps/);
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toMatch(/There is no such API key\. Check the 12-character key id/);
    expect(unreachable).toMatchObject({ code: 1, stdout: '' });
    expect(unreachable.stderr).toMatch(/does not answer at http:\/\/127\.0\.0\.1:9\. Start it with: npm start/);
    expect(noHub.code).toBe(2);
    expect(noHub.stderr).toMatch(/--api-key-file/);
    expect(keyAsId.code).toBe(2);
    expect(noName.code).toBe(2);
    expect(badDuration.code).toBe(2);
    expect(badDuration.stderr).toMatch(/such as 45s, 30m, 24h/);
    expect(cut.code).toBe(1);
    expect(unknownOption.code).toBe(2);
    for (const { stdout, stderr } of [fields, missing, unreachable, noHub, keyAsId, noName, cut, unknownOption]) {
      expect(stdout + stderr).not.toContain(tooShort);
      expect(stderr).not.toMatch(/\n\s+at /);
    }
  });

  test('something else at the address is not taken for a hub, and the key follows no redirect', async () => {
    const asked: unknown[] = [];
    const stranger = createServer((request, response) => {
      asked.push(request.headers['x-api-key']);
      if (request.url?.startsWith('/moved') === true) return response.end('{}');
      return response.writeHead(302, { location: '/moved' }).end();
    });
    await once(stranger.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
    const ended = await keys(['list'], { env: { HUB_URL: url, HUB_API_KEY: admin.key } });
    stranger.close();
    expect(ended.code).toBe(1);
    expect(asked).toHaveLength(1);
  });
});
