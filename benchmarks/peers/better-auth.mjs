/** A route behind `verifyApiKey` of better-auth on PostgreSQL, its limit set out of the way. Makes KEY_COUNT keys. */
import { apiKey } from '@better-auth/api-key';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import fastify from 'fastify';
import pg from 'pg';

const options = {
  database: new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 12 }),
  secret: 'a secret of more than thirty-two characters',
  baseURL: 'http://127.0.0.1',
  emailAndPassword: { enabled: true },
  plugins: [apiKey({ rateLimit: { enabled: true, maxRequests: 1_000_000_000, timeWindow: 60_000 } })],
};
await (await getMigrations(options)).runMigrations();
const auth = betterAuth(options);
const { user } = await auth.api.signUpEmail({
  body: { email: 'bench@example.org', password: 'correct horse battery', name: 'Bench' },
});
const keys = [];
for (let made = 0; made < Number(process.env.KEY_COUNT); made += 1)
  keys.push((await auth.api.createApiKey({ body: { userId: user.id, name: `bench ${made}` } })).key);

const server = fastify();
server.get('/bench', async (request, reply) => {
  const key = request.headers['x-api-key'];
  const { valid } = key === undefined ? { valid: false } : await auth.api.verifyApiKey({ body: { key } });
  if (!valid) return reply.status(401).send({ error: 'unauthorized' });
  return { id: '0199c0de-0000-7000-8000-000000000000', status: 'success', attempts: 1 };
});
await server.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${JSON.stringify(keys)}\n`);
process.stderr.write(`ready at http://127.0.0.1:${server.server.address().port} (peer)\n`);
process.once('SIGTERM', () => process.exit(0));
