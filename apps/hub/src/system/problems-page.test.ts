import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { problemsPagePolicy, renderProblemsPage } from './problems-page.ts';

test('the page of problems shows code as code, and its policy allows its own style only', () => {
  const page = renderProblemsPage();
  expect(page).not.toContain('`');
  expect(page).toContain('<code>Retry-After</code>');
  const [, style = ''] = /<style>([^]*?)<\/style>/.exec(page) ?? [];
  expect(problemsPagePolicy).toContain(`style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`);
  expect(problemsPagePolicy).not.toContain('unsafe');
});
