/** The bare proxy: no keys, no limits, no log. */
import proxy from '@fastify/http-proxy';
import fastify from 'fastify';

const server = fastify();
await server.register(proxy, { upstream: process.env.UPSTREAM_URL, prefix: '/' });
await server.listen({ host: '127.0.0.1', port: 0 });
process.stderr.write(`ready at http://127.0.0.1:${server.server.address().port} (peer)\n`);
process.once('SIGTERM', () => process.exit(0));
