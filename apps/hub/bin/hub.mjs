#!/usr/bin/env node
// `hub …` where this package is installed: hands over to the bootstrap, which brings Node 24 and the dependencies.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const bootstrap = fileURLToPath(new URL('../../../scripts/bootstrap.mjs', import.meta.url));
const child = spawn(process.execPath, [bootstrap, 'hub', ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
