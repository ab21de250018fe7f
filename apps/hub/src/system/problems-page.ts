import { createHash } from 'node:crypto';
import { listProblems } from '@impact-hub/core';

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Prose in HTML: what stands in backticks is code. */
const proseHtml = (text: string): string => escapeHtml(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');

const style = [
  ':root{color-scheme:light dark}',
  'body{font:1rem/1.5 system-ui,sans-serif;margin:0}',
  'main{max-width:44rem;margin:0 auto;padding:1.5rem 1rem}',
  'section{border-top:1px solid #8886;padding:.5rem 0}',
  'section:target{border-left:4px solid #2a7;padding-left:.75rem}',
  'h2{font-size:1.1rem;margin:.5rem 0 0}',
  'p{margin:.25rem 0}',
  'code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}',
].join('');

/** Allows the page its own style, by hash, and nothing else. */
export const problemsPagePolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Every problem with an anchor of its code, so that a problem's `type` leads somewhere. */
export const renderProblemsPage = (): string => {
  const sections = listProblems().map(
    ({ code, status, title, remedy }) =>
      `<section id="${escapeHtml(code)}"><h2><code>${escapeHtml(code)}</code></h2><p><b>${status}</b> ${proseHtml(title)}. ${proseHtml(remedy)}</p></section>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Errors of Impact Hub</title><style>${style}</style></head><body><main><h1>Errors</h1>${sections.join('')}</main></body></html>`;
};
