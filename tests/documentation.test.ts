import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listProblems } from '@impact-hub/core';
import { expect, test } from 'vitest';
import { generatedDocs } from '../apps/hub/src/commands/write-generated-docs.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

test.each(Object.entries(generatedDocs))('%s is what the code says (npm run hub -- docs)', async (name, make) => {
  expect(await readFile(join(root, name), 'utf8')).toBe(make());
});

const sources = async (folder: string): Promise<string[]> => {
  const entries = await readdir(join(root, folder), { recursive: true });
  return entries
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.includes('node_modules'))
    .map((name) => join(folder, name));
};

test('every problem in the sources is documented, and every documented one is in the sources', async () => {
  const files = [...(await sources('packages')), ...(await sources('apps'))];
  const texts = await Promise.all(files.map((file) => readFile(join(root, file), 'utf8')));
  const defined = texts.flatMap((text) =>
    [...text.matchAll(/defineProblem\(\{\s*code: '([^']+)'/g)].map(([, code]) => code),
  );
  expect(defined.sort()).toEqual(
    listProblems()
      .map((problem) => problem.code)
      .sort(),
  );
});

test('every problem says in a sentence what to do next', () => {
  for (const problem of listProblems()) {
    expect(problem.remedy, problem.code).toMatch(/^[A-Z].*\.$/s);
    expect(problem.status, problem.code).toBeGreaterThanOrEqual(400);
  }
});
