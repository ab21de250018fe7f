/** Which package may import which (docs/architecture.md): a ladder without circles. */
const ladder = {
  'embedded-stores': [],
  core: [],
  crypto: ['core'],
  audit: ['core', 'crypto'],
  accounts: ['core', 'crypto', 'audit'],
  'api-keys': ['core', 'crypto', 'audit', 'accounts'],
  'impact-in': ['core', 'crypto', 'audit', 'accounts'],
  gateway: ['core', 'audit', 'accounts', 'api-keys'],
  testkit: ['core', 'embedded-stores'],
};

/** Tests, and the arrangement that a package's tests share, may use the testkit. */
const tests = '(\\.test|/test-[^/]+)\\.ts$';

/** Files that load little else: the terminal's commands would otherwise wait for the whole hub to load. */
const light =
  '^packages/(core/src/telemetry/redact|api-keys/src/key-format|impact-in/src/(simulators/(inject-fault|partner-apis/api-faults)|verification/profile))\\.ts$';

const onlyAllowed = Object.entries(ladder).map(([name, allowed]) => ({
  name: `ladder-${name}`,
  severity: 'error',
  comment: `packages/${name} may import ${allowed.length > 0 ? allowed.join(', ') : 'no other package'}`,
  from: { path: `^packages/${name}/`, pathNot: tests },
  to: { path: '^packages/', pathNot: [`^packages/${name}/`, ...allowed.map((other) => `^packages/${other}/`)] },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...onlyAllowed,
    {
      name: 'package-not-in-ladder',
      severity: 'error',
      comment: 'a new package must be entered in the ladder of this file',
      from: { path: '^packages/', pathNot: Object.keys(ladder).map((name) => `^packages/${name}/`) },
      to: {},
    },
    { name: 'no-circle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'only-the-index',
      severity: 'error',
      comment: "another package's files are private; import its index.ts, or what else its package.json exports",
      from: { path: '^(packages/[^/]+|apps/[^/]+|tests|benchmarks)/' },
      to: { path: '^packages/[^/]+/src/', pathNot: ['^packages/[^/]+/src/index\\.ts$', light, '^$1/'] },
    },
    {
      name: 'nothing-imports-an-app',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: '^apps/' },
    },
    {
      name: 'testkit-only-in-tests',
      severity: 'error',
      from: { path: '^(packages/(?!testkit)|apps/)', pathNot: tests },
      to: { path: '^packages/testkit/' },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    // TypeScript 7 has no JavaScript API that dependency-cruiser could use; without this it cruises nothing and passes.
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)node_modules/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.mjs', '.js'],
    },
  },
};
