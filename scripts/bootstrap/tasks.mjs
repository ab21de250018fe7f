/**
 * What the bootstrap can run, by name: the file and arguments for Node.js 24 (further arguments are added), and whether
 * it starts stores of its own, so that a Redis program has to be on the machine. `redisFor` limits that to these first
 * arguments (`''`: none).
 *
 * @type {Record<string, { about: string, command: string[], needsRedis?: boolean, redisFor?: string[] }>}
 */
export const tasks = {
  start: {
    about: 'start the hub with everything it needs',
    command: ['apps/hub/src/main.ts', 'start'],
    needsRedis: true,
  },
  demo: { about: 'drive the running hub with the partner simulators', command: ['apps/hub/src/main.ts', 'demo'] },
  hub: {
    about: "the hub's command line (npm run hub -- --help)",
    command: ['apps/hub/src/main.ts'],
    needsRedis: true,
    redisFor: ['', 'start', 'setup', 'migrate'],
  },
  test: {
    about: 'all checks and tests; with paths, only those tests',
    command: ['scripts/run-tasks.mjs', 'test'],
    needsRedis: true,
  },
  check: { about: 'the checks without the tests', command: ['scripts/run-tasks.mjs', 'check'] },
  bench: { about: 'the measurements', command: ['benchmarks/run.ts'], needsRedis: true },
};

/** Whether this call of a task will start a Redis of its own. */
export const startsRedis = ({ needsRedis = false, redisFor }, args, environment) =>
  needsRedis && !environment.REDIS_URL && (redisFor === undefined || redisFor.includes(args[0] ?? ''));

/** The text of `--help`. */
export const describeTasks = () =>
  [
    'Usage: npm start | npm test | npm run <task> [-- <arguments>]',
    '',
    ...Object.entries(tasks).map(([name, { about }]) => `  ${name.padEnd(8)}${about}`),
    '',
    'Packages are installed when package-lock.json has changed. VERBOSE=1 shows the output of the installers.',
  ].join('\n');
