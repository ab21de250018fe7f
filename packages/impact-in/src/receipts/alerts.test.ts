import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { useTestHub } from '../test-hub.ts';

const fileOf = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
const rulesFile = fileOf('deploy/prometheus/impact-in.rules.yml');
const rules = readFileSync(rulesFile, 'utf8');
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

const hub = await useTestHub();

test('alerts use only figures that the hub has', async () => {
  const exported = await hub.metrics.metrics();
  const used = new Set(rules.match(/\bimpact_in_[a-z_]+/g)?.map((name) => name.replace(/_bucket$/, '')));
  expect(used.size).toBeGreaterThan(8);
  expect([...used].filter((name) => !exported.includes(`# TYPE ${name} `))).toEqual([]);
});

test('every alert names a section of the runbook that is there', () => {
  const runbook = readFileSync(fileOf('docs/runbooks/impact-in.md'), 'utf8');
  const anchors = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  );
  const alerts = [...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  const named = [...rules.matchAll(/runbook: docs\/runbooks\/impact-in\.md#([\w-]+)/g)].map(
    ([, anchor = '']) => anchor,
  );
  expect(named).toHaveLength(alerts.length);
  expect(named.filter((anchor) => !anchors.includes(anchor))).toEqual([]);
  expect(alerts.filter((name) => !runbook.includes(name ?? ''))).toEqual([]);
});

test.skipIf(!hasPromtool)('Prometheus reads the rules', () => {
  expect(execFileSync('promtool', ['check', 'rules', rulesFile], { encoding: 'utf8' })).toContain('SUCCESS');
});
