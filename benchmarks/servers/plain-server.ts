import type { AddressInfo } from 'node:net';
import fastify from 'fastify';

/** Plain Fastify with a compiled serialiser: no keys, no limits, no ids, no log, no metrics. */
const server = fastify();
server.get('/bench/protected', {
  schema: {
    response: {
      200: {
        type: 'object',
        properties: { id: { type: 'string' }, status: { type: 'string' }, attempts: { type: 'integer' } },
      },
    },
  },
  handler: async () => ({ id: '0199c0de-0000-7000-8000-000000000000', status: 'success', attempts: 1 }),
});
await server.listen({ host: '127.0.0.1', port: 0 });
process.stderr.write(`ready at http://127.0.0.1:${(server.server.address() as AddressInfo).port} (benchmark)\n`);
process.once('SIGTERM', () => process.exit(0));
