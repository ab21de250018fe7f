/**
 * Gateways restarted one after the other under constant load: reads with an API key and signed webhooks, 16 clients that
 * repeat nothing. Directly, the clients watching `/ready`; and through nginx, when it is installed, with the upstream
 * and retry rules of deploy/nginx/impact-hub.conf.
 * Targets: no failed request, no lost webhook.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { existsSync } from 'node:fs';
import { connectSql } from '@impact-hub/core';
import { runRollingRestarts } from '../tests/support/rolling-restart.ts';
import { printTable } from './measure/describe-machine.ts';
import { startBenchStores } from './measure/start-stores.ts';
import { printTargets } from './measure/targets.ts';
import type { Benchmark } from './run.ts';

const findNginx = (): string | undefined =>
  [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
    .map((directory) => join(directory, 'nginx'))
    .find(existsSync);

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });

/** The delivered configuration with these gateways, on a local port and without TLS. */
const configure = async (urls: readonly string[], port: number, directory: string): Promise<string> => {
  const delivered = await readFile(new URL('../deploy/nginx/impact-hub.conf', import.meta.url), 'utf8');
  const servers = urls.map((url) => `server ${new URL(url).host} max_fails=1 fail_timeout=5s;`).join('\n');
  const [head = '', , tls = ''] = delivered.split(/^server \{$/m);
  const upstream = head.replace(/(\s*server [\d.:]+ [^;]+;)+/, `\n${servers}`);
  const local = tls
    .replaceAll(/^\s*(ssl_|listen \[|server_name|limit_conn ).*$/gm, '')
    .replace('listen 443 ssl;', `listen 127.0.0.1:${port};`)
    .replace('/var/log/nginx/impact-hub.log', join(directory, 'access.log'));
  return `daemon off; pid ${directory}/nginx.pid; error_log ${directory}/error.log; worker_processes 1;
    events { worker_connections 512; }
    http { ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
    ${upstream} server {${local} }`;
};

const startNginx = (program: string) => async (urls: readonly string[]) => {
  const directory = await mkdtemp(join(tmpdir(), 'hub-nginx-'));
  const port = await freePort();
  const file = join(directory, 'nginx.conf');
  await writeFile(file, await configure(urls, port, directory));
  const child = spawn(program, ['-c', file, '-e', join(directory, 'error.log')], { stdio: 'inherit' });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 100; tries += 1) {
    if (
      await fetch(`${url}/health`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    stop: async () => {
      child.kill('SIGQUIT');
      await closed;
      await rm(directory, { recursive: true, force: true });
    },
  };
};

export const benchmark: Benchmark = {
  run: async ({ quick }) => {
    const nginx = findNginx();
    const cases = nginx === undefined ? ['directly'] : ['directly', 'through nginx'];
    const rows: { case: string; restarts: number; answered: number; failed: number; lost: number }[] = [];
    for (const name of cases) {
      const stores = await startBenchStores();
      try {
        const throughNginx = name === 'through nginx' && nginx !== undefined;
        const report = await runRollingRestarts({
          // Through nginx at least 5, so that it closes idle connections before the gateway does.
          settings: { ...stores.settings, HUB_DRAIN_SECONDS: throughNginx ? '6' : '2' },
          rounds: quick ? 1 : 5,
          clients: 16,
          ...(throughNginx ? { inFront: startNginx(nginx) } : {}),
        });
        const sql = connectSql(stores.ownerUrl, { maxConnections: 1, applicationName: 'bench' });
        const [stored] = await sql<{ count: number }[]>`
          select count(*)::int as count from impact_in_receipt where event_id = any(${[...report.acknowledged]}::text[])`;
        await sql.end();
        for (const [what, times] of report.failures) process.stdout.write(`${name}: ${times} × ${what}\n`);
        const failed = [...report.failures.values()].reduce((sum, times) => sum + times, 0);
        const lost = report.acknowledged.size - (stored?.count ?? 0);
        rows.push({ case: name, restarts: report.restarts, answered: report.answered, failed, lost });
      } finally {
        await stores.stop();
      }
    }
    printTable(rows);
    process.stdout.write(nginx === undefined ? '\nnginx is not installed: not measured\n\n' : '\n');
    printTargets(
      rows.flatMap(({ case: name, failed, lost }) => [
        { what: `failed requests, ${name}`, measured: failed, target: 'below' as const, limit: 1, unit: '' },
        { what: `lost webhooks, ${name}`, measured: lost, target: 'below' as const, limit: 1, unit: '' },
      ]),
    );
  },
};
