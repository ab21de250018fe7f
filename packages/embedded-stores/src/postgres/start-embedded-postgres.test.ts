import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isProcessAlive } from '../process-identity.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './start-embedded-postgres.ts';

const settings = { fsync: 'off', shared_buffers: '16MB' };
const indexUrl = new URL('../index.ts', import.meta.url).href;

let dataDir: string;
let started: EmbeddedPostgres[];

const start = async (options: Partial<Parameters<typeof startEmbeddedPostgres>[0]> = {}) => {
  const server = await startEmbeddedPostgres({ dataDir, settings, ...options });
  started.push(server);
  return server;
};

const query = async (url: string, text: string): Promise<Record<string, unknown>[]> => {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return await sql.unsafe(text);
  } finally {
    await sql.end();
  }
};

/** A hub of its own that starts the server and is then killed without a chance to stop it. Returns the server's id. */
const startInKilledHub = async (): Promise<number> => {
  const program = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(indexUrl)});
    const server = await startEmbeddedPostgres(${JSON.stringify({ dataDir, settings })});
    process.stdout.write(String(server.pid), () => process.kill(process.pid, 'SIGKILL'));`;
  const hub = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  return Number(await new Response(hub.stdout as never).text());
};

beforeEach(async () => {
  // mkdtemp makes it 0700: as root, the server's account cannot enter it, which is what every test here then covers.
  dataDir = join(await mkdtemp(join(tmpdir(), 'postgres-test-')), 'postgres');
  started = [];
});

afterEach(async () => {
  await Promise.all(started.map((server) => server.stop('immediate')));
  await rm(join(dataDir, '..'), { recursive: true, force: true });
});

test('a first start gives PostgreSQL 18 with UTF-8, checksums and a log that can be followed', async () => {
  const { adminUrl } = await start();
  const [row] = await query(
    adminUrl,
    `select current_setting('server_version_num')::int / 10000 as major, current_setting('server_encoding') as encoding,
            current_setting('wal_level') as wal, current_setting('data_checksums') as checksums, current_user as "user",
            current_setting('listen_addresses') as addresses, current_setting('fsync') as fsync`,
  );
  expect(row).toEqual({
    major: 18,
    encoding: 'UTF8',
    wal: 'logical',
    checksums: 'on',
    user: 'hub_owner',
    addresses: '127.0.0.1',
    fsync: 'off',
  });
});

test('nothing is lost when a commit was acknowledged: fsync and synchronous commit are on unless overridden', async () => {
  const { adminUrl } = await start({ settings: { shared_buffers: '16MB' } });
  const [row] = await query(adminUrl, `select current_setting('fsync') f, current_setting('synchronous_commit') s`);
  expect(row).toEqual({ f: 'on', s: 'on' });
});

test('a restart keeps the data and the address', async () => {
  const first = await start();
  await query(first.adminUrl, 'create table kept as select 42 as answer');
  await first.stop();
  const second = await start();
  expect(second.adminUrl).toBe(first.adminUrl);
  expect(await query(second.adminUrl, 'select answer from kept')).toEqual([{ answer: 42 }]);
});

test('the password is required, and only its owner may read it', async () => {
  const { adminUrl } = await start();
  const wrong = new URL(adminUrl);
  wrong.password = 'guess';
  await expect(query(wrong.href, 'select 1')).rejects.toThrow('password authentication failed');
  expect((await stat(join(dataDir, 'password'))).mode & 0o777).toBe(0o600);
});

test('stop leaves no process behind and reports how the server ended', async () => {
  const server = await start();
  await server.stop();
  await server.stop();
  expect(isProcessAlive(server.pid)).toBe(false);
  expect(await server.exited).toEqual({ code: 0, signal: null });
});

test('the server a killed hub left running is ended, and its commits are kept', async () => {
  const orphanPid = await startInKilledHub();
  expect(isProcessAlive(orphanPid)).toBe(true);
  const lines: string[] = [];

  const server = await start({ onProgress: (line) => lines.push(line) });

  expect(isProcessAlive(orphanPid)).toBe(false);
  expect(lines.join('\n')).toContain(`earlier hub left running (process ${orphanPid})`);
  expect(await query(server.adminUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('a server that was killed can be started again at once, at the same address', async () => {
  const first = await start();
  await query(first.adminUrl, 'create table kept as select 42 as answer');
  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  const second = await start();
  expect(second.adminUrl).toBe(first.adminUrl);
  expect(await query(second.adminUrl, 'select answer from kept')).toEqual([{ answer: 42 }]);
});

test('a process id that another program got since does not keep the server from starting', async () => {
  const first = await start();
  await first.stop();
  await writeFile(join(dataDir, 'cluster', 'postmaster.pid'), `${process.pid}\n${join(dataDir, 'cluster')}\n`);
  const second = await start();
  expect(second.pid).not.toBe(process.pid);
});

test('a second hub on the same directory is refused while the first runs', async () => {
  const first = await start();
  await expect(start()).rejects.toThrow(`in use by process ${process.pid}`);
  expect(await query(first.adminUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('a port chosen by a person and taken by another program is named together with its setting', async () => {
  const squatter = createServer();
  const port = await new Promise<number>((resolve) => {
    squatter.listen(0, '127.0.0.1', () => resolve((squatter.address() as { port: number }).port));
  });
  const refusal = start({ port, portSetting: 'HUB_POSTGRES_PORT' });
  await expect(refusal).rejects.toThrow(new RegExp(`Port ${port} .* HUB_POSTGRES_PORT, is already in use`));

  await writeFile(join(dataDir, 'port'), String(port));
  expect((await start()).port).not.toBe(port);
  squatter.close();
});

test('an interrupted first start is repeated from the beginning', async () => {
  const first = await start();
  await first.stop();
  await rm(join(dataDir, 'cluster', 'PG_VERSION'));
  const second = await start();
  expect(await query(second.adminUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('a server that ends during its start is explained by the last lines of its log', async () => {
  await expect(start({ settings: { shared_buffers: 'nonsense' } })).rejects.toThrow(
    /ended during its start.*nonsense/s,
  );
  expect(await readFile(join(dataDir, 'postgres.log'), 'utf8')).toContain('nonsense');
});

test('a lost password file is named, with what to do', async () => {
  await (await start()).stop();
  await rm(join(dataDir, 'password'));
  await expect(start()).rejects.toThrow(/password .*restore that file, or delete/);
});

test.runIf(process.getuid?.() === 0)('started by root, the server runs under an unprivileged account', async () => {
  const { pid } = await start();
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]);
  expect(uid).toBeGreaterThan(0);
  expect(uid).toBe((await stat(join(dataDir, 'cluster'))).uid);
});
