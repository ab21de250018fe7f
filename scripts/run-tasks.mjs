#!/usr/bin/env node
// Runs the checks and tests through turbo, which skips what has passed on the same files. Arguments after the task are
// passed to vitest, and then turbo is left out: `npm test packages/core`.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const checks = ['format', 'lint', 'types', 'unused', 'boundaries'].map((name) => `//#task:${name}`);
const plans = { check: checks, test: [...checks, '//#task:test'] };

const [task = 'test', ...rest] = process.argv.slice(2);
const bin = (name) => fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url));
const [command, args] =
  rest.length > 0
    ? [process.execPath, [bin('vitest/vitest.mjs'), 'run', ...rest]]
    : [
        process.execPath,
        [
          bin('turbo/bin/turbo'),
          'run',
          ...plans[task],
          '--output-logs=full',
          '--log-order=stream',
          '--log-prefix=none',
          '--concurrency=2',
          '--continue=dependencies-successful',
        ],
      ];

const run = spawnSync(command, args, {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', DO_NOT_TRACK: '1' },
});
process.exit(run.status ?? 1);
