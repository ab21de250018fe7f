import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isProcessAlive } from '../process-identity.ts';
import { type EmbeddedRedis, startEmbeddedRedis } from './start-embedded-redis.ts';

const indexUrl = new URL('../index.ts', import.meta.url).href;

let dataDir: string;
let started: EmbeddedRedis[];

const start = async (options: Partial<Parameters<typeof startEmbeddedRedis>[0]> = {}) => {
  const server = await startEmbeddedRedis({ dataDir, ...options });
  started.push(server);
  return server;
};

/** Sends inline commands and returns everything that was answered. */
const ask = (port: number, ...commands: string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(`${commands.join('\r\n')}\r\nQUIT\r\n`));
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    socket.once('error', reject);
    socket.once('close', () => resolve(received));
  });

const authorised = ({ port, url }: EmbeddedRedis, ...commands: string[]) =>
  ask(port, `AUTH ${new URL(url).password}`, ...commands);

beforeEach(async () => {
  // A blank and a quote in the path: the configuration file has to carry both.
  dataDir = join(await mkdtemp(join(tmpdir(), 'redis test "-')), 'redis');
  started = [];
});

afterEach(async () => {
  await Promise.all(started.map((server) => server.stop()));
  await rm(join(dataDir, '..'), { recursive: true, force: true });
});

test('the password is required, and no command line shows it', async () => {
  const server = await start();
  expect(await ask(server.port, 'PING')).toContain('-NOAUTH');
  expect(await authorised(server, 'PING')).toContain('+PONG');
  expect(await readFile(`/proc/${server.pid}/cmdline`, 'utf8')).not.toContain(new URL(server.url).password);
  expect((await stat(join(dataDir, 'redis.conf'))).mode & 0o777).toBe(0o600);
});

test('a full memory refuses writes instead of dropping jobs', async () => {
  expect(await authorised(await start(), 'CONFIG GET maxmemory-policy')).toContain('noeviction');
});

test('with persistence a restart keeps contents and address', async () => {
  const first = await start({ persistence: true });
  await authorised(first, 'SET kept 42');
  await first.stop();
  const second = await start({ persistence: true });
  expect(second.url).toBe(first.url);
  expect(await authorised(second, 'GET kept')).toContain('42');
});

test('without persistence nothing is written', async () => {
  const first = await start({ persistence: false });
  await authorised(first, 'SET gone 42');
  await first.stop();
  expect(await authorised(await start({ persistence: false }), 'GET gone')).toContain('$-1');
});

test('stop leaves no process behind', async () => {
  const server = await start();
  await server.stop();
  expect(isProcessAlive(server.pid)).toBe(false);
  expect(await server.exited).toEqual({ code: 0, signal: null });
});

test('a killed server can be started again at once, at the same address', async () => {
  const first = await start();
  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  expect((await start()).url).toBe(first.url);
});

test('the server a killed hub left running is ended', async () => {
  const program = `
    const { startEmbeddedRedis } = await import(${JSON.stringify(indexUrl)});
    const server = await startEmbeddedRedis(${JSON.stringify({ dataDir })});
    process.stdout.write(String(server.pid), () => process.kill(process.pid, 'SIGKILL'));`;
  const hub = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const orphanPid = Number(await new Response(hub.stdout as never).text());
  expect(isProcessAlive(orphanPid)).toBe(true);

  const server = await start();

  expect(isProcessAlive(orphanPid)).toBe(false);
  expect(await authorised(server, 'PING')).toContain('+PONG');
});

test('a port chosen by a person and taken by another program is named together with its setting', async () => {
  const squatter = createServer();
  const port = await new Promise<number>((resolve) => {
    squatter.listen(0, '127.0.0.1', () => resolve((squatter.address() as { port: number }).port));
  });
  await expect(start({ port })).rejects.toThrow(new RegExp(`Port ${port} .* HUB_REDIS_PORT, is already in use`));
  squatter.close();
});
