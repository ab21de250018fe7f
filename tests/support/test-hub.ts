import type { AddressInfo } from 'node:net';
import { createApiKey } from '@impact-hub/api-keys';
import { createCompany, createPerson } from '@impact-hub/accounts';
import {
  buildHttpServer,
  createHttpMetrics,
  createLogger,
  runShutdown,
  type Logger,
  type Route,
} from '@impact-hub/core';
import { createTestDatabase, createTestRedis } from '@impact-hub/testkit';
import { composeHub } from '../../apps/hub/src/compose.ts';
import { loadSettings } from '../../apps/hub/src/config/load-settings.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const by = { actor: { kind: 'system', id: 'test' } } as const;
export const password = 'a long enough password';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * The whole hub, composed as in production, on stores of this test's own; called by `inject`.
 * @param more settings, as in the environment
 */
export const createTestHub = async (
  log: Logger = createLogger({ level: 'silent' }),
  more: Record<string, string> = {},
) => {
  const [database, redis, directory] = await Promise.all([
    createTestDatabase(),
    createTestRedis(),
    temporaryDirectory(),
  ]);
  const publicUrl = 'http://hub.test';
  const hub = await composeHub({
    settings: loadSettings({
      DATABASE_URL: database.ownerUrl,
      REDIS_URL: redis.url,
      HUB_DATA_DIR: directory.path,
      ...more,
    }),
    publicUrl,
    stores: {
      ownerUrl: database.ownerUrl,
      redisUrl: redis.url,
      warehouse: () => Promise.reject(new Error('not needed here')),
      usesWarehouse: () => false,
      stop: async () => undefined,
    },
    log,
    onProgress: () => undefined,
  });
  const server = buildHttpServer({
    modules: hub.modules,
    authorize: hub.authorize,
    edge: hub.edge,
    serving: hub.serving,
    log,
    metrics: createHttpMetrics(hub.metrics),
  });
  await server.ready();

  const company = async () => {
    const { id } = await hub.db.system((tx) => createCompany(tx, hub, by, { name: 'A company' }));
    return id;
  };
  const key = (
    companyId: string,
    scopes: readonly string[] = Object.keys(hub.scopeCatalogue),
    environment: 'live' | 'test' = 'live',
  ) =>
    hub.db.company(companyId, (tx) =>
      createApiKey(
        tx,
        hub,
        { ...by, scopes: null },
        {
          name: 'k',
          environment,
          scopes: [...scopes],
          rateLimitPerMinute: 1_000_000,
          allowedIps: [],
          metadata: {},
        },
      ),
    );
  const person = async (companyId: string, role: 'system_admin' | 'company_admin' | 'viewer' = 'company_admin') => {
    const email = `${crypto.randomUUID()}@example.org`;
    const created = await hub.db.system((tx) =>
      createPerson(tx, hub, by, { companyId, email, name: 'A person', role, password }),
    );
    return { ...created, email };
  };
  const call = (
    method: Method,
    url: string,
    options: { key?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
  ) =>
    server.inject({
      method,
      url,
      headers: { ...(options.key === undefined ? {} : { 'x-api-key': options.key }), ...options.headers },
      ...(options.body === undefined ? {} : { payload: options.body }),
    });
  const signIn = async (email: string): Promise<{ cookie: string; sessionId: string }> => {
    const response = await call('POST', '/api/v1/auth/sign-in', {
      headers: { 'content-type': 'application/json', origin: publicUrl },
      body: JSON.stringify({ email, password }),
    });
    const cookie = [response.headers['set-cookie'] ?? []]
      .flat()
      .map((text) => text.split(';', 1)[0])
      .join('; ');
    const session = await call('GET', '/api/v1/auth/sessions', { headers: { cookie } });
    const sessionId = session.json<{ data: { id: string }[] }>().data[0]?.id ?? '';
    return { cookie, sessionId };
  };

  /** For what `inject` cannot send. @returns the port */
  const listen = async (): Promise<number> => {
    await server.listen({ host: '127.0.0.1', port: 0 });
    return (server.server.address() as AddressInfo).port;
  };

  const routes: Route<unknown>[] = hub.modules.flatMap(({ module }) => [...module.routes]);
  return {
    hub,
    listen,
    server,
    database,
    routes,
    company,
    key,
    person,
    call,
    signIn,
    close: async () => {
      await server.close();
      await runShutdown(hub.shutdownPhases, log);
      await Promise.all([database.drop(), redis.close(), directory.remove()]);
    },
  };
};

export type TestHub = Awaited<ReturnType<typeof createTestHub>>;
