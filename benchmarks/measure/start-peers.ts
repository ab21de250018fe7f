import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { haproxyConfig, keysMap, nginxConfig } from './proxy-configs.ts';

export type Peer = { pid: number; port: number; keys: string[]; stop(): Promise<void> };
export type PeerSettings = { upstreamUrl: string; databaseUrl: string; redisUrl: string; keys: readonly string[] };

const run = promisify(execFile);
const startTimeoutMs = 120_000;

/** A port that was free a moment ago, for programs that cannot choose one themselves. */
const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

const stopOf = (child: ChildProcess) => async (): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await ended;
  clearTimeout(timer);
};

const startScript = async (dir: string, script: string, settings: Record<string, string>): Promise<Peer> => {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], PEER_DIR: dir, ...settings };
  const child = spawn(process.execPath, [join(dir, script)], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${script} ${why}:\n${errors}`));
    const timer = setTimeout(() => fail('was not ready in time'), startTimeoutMs);
    child.once('exit', () => fail('ended'));
    child.stderr.on('data', (chunk) => {
      errors += String(chunk);
      const port = /ready at http:\/\/[^:]+:(\d+)/.exec(errors)?.[1];
      if (port === undefined || child.pid === undefined) return;
      clearTimeout(timer);
      const line = output.split('\n').find((text) => text.startsWith('["'));
      const keys = line === undefined ? [] : (JSON.parse(line) as string[]);
      resolve({ pid: child.pid, port: Number(port), keys, stop: stopOf(child) });
    });
  });
};

const waitForPort = async (port: number): Promise<void> => {
  for (let attempt = 0; ; attempt += 1) {
    const reached = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (reached) return;
    if (attempt > 100) throw new Error(`nothing listens on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

type Proxy = { command: string; args(file: string): string[]; config(port: number, dir: string): string };

/** @returns undefined when the program is not installed */
const startProxy = async (dir: string, name: string, proxy: Proxy): Promise<Peer | undefined> => {
  const found = await run('sh', ['-c', `command -v ${proxy.command} || command -v /usr/sbin/${proxy.command}`]).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  if (found === undefined) return undefined;
  const port = await freePort();
  const file = join(dir, `${name}.conf`);
  await writeFile(file, proxy.config(port, dir));
  const child = spawn(found, proxy.args(file), { stdio: ['ignore', 'ignore', 'inherit'] });
  await waitForPort(port);
  return { pid: child.pid ?? 0, port, keys: [], stop: stopOf(child) };
};

/** Installs the peers from npm into a temporary directory and starts them; nginx and HAProxy when the machine has them. */
export const startPeers = async (settings: PeerSettings) => {
  const dir = await mkdtemp(join(tmpdir(), 'hub-bench-peers-'));
  await cp(fileURLToPath(new URL('../peers', import.meta.url)), dir, { recursive: true });
  await run('npm', ['install', '--legacy-peer-deps', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: dir });
  const { upstreamUrl, databaseUrl, redisUrl, keys } = settings;
  const shared = { UPSTREAM_URL: upstreamUrl };
  const ports = { PEER_PORT: String(await freePort()), PEER_ADMIN_PORT: String(await freePort()) };
  const upstream = new URL(upstreamUrl).host;
  await writeFile(join(dir, 'keys.map'), keysMap(keys), { mode: 0o600 });
  const peers = {
    httpProxy: await startScript(dir, 'http-proxy.mjs', shared),
    expressGateway: await startScript(dir, 'express-gateway.mjs', {
      ...shared,
      ...ports,
      REDIS_URL: redisUrl,
    }),
    betterAuth: await startScript(dir, 'better-auth.mjs', { DATABASE_URL: databaseUrl, KEY_COUNT: '200' }),
    nginx: await startProxy(dir, 'nginx', {
      command: 'nginx',
      args: (file) => ['-c', file, '-e', 'stderr'],
      config: (port) => nginxConfig({ port, upstream, keys, dir }),
    }),
    haproxy: await startProxy(dir, 'haproxy', {
      command: 'haproxy',
      args: (file) => ['-db', '-f', file],
      config: (port) => haproxyConfig({ port, upstream, keys, dir }),
    }),
  };
  return {
    ...peers,
    stop: async () => {
      for (const peer of Object.values(peers)) await peer?.stop();
      await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
};
