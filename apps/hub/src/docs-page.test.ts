import fastify from 'fastify';
import { expect, test } from 'vitest';
import { registerDocsPage } from './docs-page.ts';

test('whoever opens the address of the hub is led to the API docs', async () => {
  const server = fastify();
  await registerDocsPage(server);
  for (const method of ['GET', 'HEAD'] as const) {
    const answer = await server.inject({ method, url: '/' });
    expect([answer.statusCode, answer.headers.location]).toEqual([302, '/docs']);
  }
  expect((await server.inject('/elsewhere')).statusCode).toBe(404);
  await server.close();
});
