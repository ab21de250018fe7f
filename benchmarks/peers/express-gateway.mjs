/** express-gateway with key-auth before the proxy, its users and keys in Redis; no limit. Makes one key. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { UPSTREAM_URL, REDIS_URL, PEER_PORT, PEER_ADMIN_PORT, PEER_DIR } = process.env;
const redis = new URL(REDIS_URL);
const gateway = {
  http: { port: Number(PEER_PORT), hostname: '127.0.0.1' },
  admin: { port: Number(PEER_ADMIN_PORT), host: '127.0.0.1' },
  apiEndpoints: { api: { host: '*', paths: '/*' } },
  serviceEndpoints: { backend: { url: UPSTREAM_URL } },
  policies: ['key-auth', 'proxy'],
  pipelines: {
    api: {
      apiEndpoints: ['api'],
      policies: [
        { 'key-auth': { action: { apiKeyHeader: 'x-api-key', disableHeadersScheme: true } } },
        { proxy: { action: { serviceEndpoint: 'backend', changeOrigin: true } } },
      ],
    },
  },
};
const system = {
  db: {
    redis: {
      emulate: false,
      host: redis.hostname,
      port: Number(redis.port),
      password: redis.password,
      namespace: 'EG',
    },
  },
  crypto: { cipherKey: 'sensitiveKey', algorithm: 'aes256', saltRounds: 10 },
  session: { secret: 'keyboard cat', resave: false, saveUninitialized: false },
  accessTokens: { timeToExpiry: 7_200_000 },
  refreshTokens: { timeToExpiry: 7_200_000 },
  authorizationCodes: { timeToExpiry: 300_000 },
};
const require = createRequire(import.meta.url);
const configDir = join(PEER_DIR, 'express-gateway-config');
await mkdir(join(configDir, 'models'), { recursive: true });
const shipped = join(require.resolve('express-gateway/package.json'), '..', 'lib', 'config', 'models');
await cp(shipped, join(configDir, 'models'), { recursive: true });
// JSON is YAML.
await writeFile(join(configDir, 'gateway.config.yml'), JSON.stringify(gateway));
await writeFile(join(configDir, 'system.config.yml'), JSON.stringify(system));
process.env.LOG_LEVEL = 'error';
await require('express-gateway')().load(configDir).run();

const admin = async (path, body) => {
  const response = await fetch(`http://127.0.0.1:${PEER_ADMIN_PORT}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
};
const user = await admin('/users', { username: `bench${Date.now()}`, firstname: 'Bench', lastname: 'Bench' });
const { keyId, keySecret } = await admin('/credentials', { consumerId: user.id, type: 'key-auth', credential: {} });
process.stdout.write(`${JSON.stringify([`${keyId}:${keySecret}`])}\n`);
process.stderr.write(`ready at http://127.0.0.1:${PEER_PORT} (peer)\n`);
process.once('SIGTERM', () => process.exit(0));
