import { listProblems } from '@impact-hub/core';

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Every problem with an anchor of its code, so that a problem's `type` leads somewhere. */
export const renderProblemsPage = (): string => {
  const sections = listProblems().map(
    ({ code, status, title, remedy }) =>
      `<section id="${escapeHtml(code)}"><h2><code>${escapeHtml(code)}</code></h2><p><b>${status}</b> ${escapeHtml(title)}. ${escapeHtml(remedy)}</p></section>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Errors of Impact Hub</title></head><body><main><h1>Errors</h1>${sections.join('')}</main></body></html>`;
};
