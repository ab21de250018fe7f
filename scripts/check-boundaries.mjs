#!/usr/bin/env node
// Checks the import ladder and fails when suspiciously few modules were seen: a parser that understands nothing
// finds no violation either.
import { spawnSync } from 'node:child_process';

const moduleFloor = Number(process.env.BOUNDARY_MODULE_FLOOR ?? 100);
const cli = new URL('../node_modules/dependency-cruiser/bin/dependency-cruiser.mjs', import.meta.url).pathname;
const config = new URL('../.dependency-cruiser.cjs', import.meta.url).pathname;
const roots = process.argv.slice(2);

const run = spawnSync(
  process.execPath,
  [cli, '--config', config, '--output-type', 'json', ...(roots.length > 0 ? roots : ['packages', 'apps'])],
  { encoding: 'utf8', maxBuffer: 1 << 28 },
);
if (run.stdout === '') {
  process.stderr.write(`${run.stderr}\nimport boundaries: dependency-cruiser gave no answer\n`);
  process.exit(1);
}
const { summary } = JSON.parse(run.stdout);
for (const { rule, from, to } of summary.violations) process.stderr.write(`${rule.name}: ${from} → ${to}\n`);
if (summary.totalCruised < moduleFloor) {
  process.stderr.write(`import boundaries: only ${summary.totalCruised} modules were read, expected ${moduleFloor}\n`);
  process.exit(1);
}
process.stdout.write(
  `import boundaries: ${summary.totalCruised} modules, ${summary.totalDependenciesCruised} imports, ${summary.violations.length} violations\n`,
);
process.exit(summary.violations.length > 0 ? 1 : 0);
