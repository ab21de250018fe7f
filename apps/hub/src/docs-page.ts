import { createHash } from 'node:crypto';
import { pageHeaders } from '@impact-hub/core';
import type { FastifyInstance } from 'fastify';

const inlineScripts = /<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/g;

/** Allows exactly the inline scripts the page has, by hash (CSP level 3), and nothing from elsewhere. */
const contentSecurityPolicy = (html: string): string => {
  const hashes = [...html.matchAll(inlineScripts)].map(
    ([, script = '']) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  );
  return [
    "default-src 'none'",
    `script-src 'self' ${hashes.join(' ')}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "object-src 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
};

/** Serves the human API docs at `/docs`, where `/` leads to, from the hub's own `/openapi.json` and without any outside resource. */
export const registerDocsPage = async (server: FastifyInstance): Promise<void> => {
  // Imported here because the page's script is 4 MB that only a serving process needs.
  const { default: apiReference } = await import('@scalar/fastify-api-reference');
  server.get('/', (_request, response) => response.redirect('/docs'));
  await server.register(async (docs) => {
    docs.addHook('onSend', async (_request, response, payload) => {
      const isPage = String(response.getHeader('content-type')).startsWith('text/html');
      if (isPage && typeof payload === 'string')
        response.headers({ ...pageHeaders, 'content-security-policy': contentSecurityPolicy(payload) });
      else response.header('cache-control', 'public, max-age=3600');
      return payload;
    });
    await docs.register(apiReference, {
      routePrefix: '/docs',
      configuration: {
        url: '/openapi.json',
        pageTitle: 'Impact Hub API',
        withDefaultFonts: false,
        telemetry: false,
        showDeveloperTools: 'never',
        hideClientButton: true,
        agent: { disabled: true },
        mcp: { disabled: true },
      },
    });
  });
};
