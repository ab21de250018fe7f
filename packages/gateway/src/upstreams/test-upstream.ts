import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import {
  bindModule,
  buildHttpServer,
  coreProblems,
  createBreakers,
  createHttpMetrics,
  createLogger,
  createMetrics,
  createServing,
  type AccessPolicy,
  type ChangeFeed,
  type Edge,
  type Environment,
  type HttpLimits,
  type LookUp,
  type PersonPrincipal,
} from '@impact-hub/core';
import { controlledClock, keyPrincipal } from '@impact-hub/testkit';
import { createUpstreams } from './create-upstreams.ts';
import { createIdentitySigner } from './identity-signer.ts';
import { parseUpstreamsFile } from './upstream-settings.ts';

export const companyId = '0192f000-0000-7000-8000-000000000000';

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** A service of its own to put behind the hub. */
const startService = async (listener: RequestListener) => {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    server,
    url: `http://127.0.0.1:${portOf(server)}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};

type Options = {
  edge?: Edge;
  lookUp?: LookUp;
  limits?: Partial<HttpLimits>;
  /** Of the key; live when left out. */
  environment?: Environment;
  /** Who calls instead of a key. */
  person?: PersonPrincipal;
  random?(): number;
  checkEveryMs?: number;
};

/** The change feed as far as keys are concerned. */
const createKeyChanges = () => {
  let onChange: (keyId: string) => void = () => undefined;
  let onMissed: (() => void) | undefined;
  const feed: Pick<ChangeFeed, 'subscribe'> = {
    subscribe: (_topic, changed, missed) => {
      [onChange, onMissed] = [changed, missed];
    },
  };
  return { feed, tell: (keyId: string): void => onChange(keyId), miss: (): void => onMissed?.() };
};

/** A listening hub with one service, called as a key with the scopes `reports:read` and `reports:write`. */
const startHubWith = async (target: string, settings: Record<string, unknown> = {}, options: Options = {}) => {
  const clock = controlledClock(new Date());
  const metrics = createMetrics();
  const log = createLogger({ level: 'silent' });
  const breakers = createBreakers({ clock, metrics, log });
  const signer = createIdentitySigner({ seed: randomBytes(32), issuer: 'https://hub.test', clock });
  const upstream = {
    name: 'reports',
    prefix: '/api/reports',
    target,
    scopes: { read: ['reports:read'], write: ['reports:write'] },
    allowPrivateAddresses: true,
    ...settings,
  };
  const file = parseUpstreamsFile(JSON.stringify({ upstreams: [upstream] }), ['reports:read', 'reports:write']);
  const { lookUp, checkEveryMs } = options;
  const caller = options.person ?? {
    ...keyPrincipal(companyId, ['reports:read', 'reports:write']),
    environment: options.environment ?? ('live' as const),
  };
  /** Ends the key, as the change feed tells it; what it answers from then on can be chosen. */
  let refuse: (() => Promise<never>) | undefined;
  const keyChanges = createKeyChanges();
  const authorize: AccessPolicy = (request, access) => {
    if (refuse !== undefined) return refuse();
    const scopes = String(request.headers['x-api-key'] ?? '').split(' ');
    if (scopes[0] === '') throw coreProblems.unauthenticated();
    const needed = typeof access === 'object' ? access.scopes : [];
    if (!needed.every((scope) => scopes.includes(scope))) throw coreProblems.forbidden();
    return caller;
  };
  const deps = {
    breakers,
    authorize,
    changes: keyChanges.feed,
    signer,
    clock,
    metrics,
    random: options.random ?? (() => 0),
    publicUrl: 'https://hub.test',
    ...(lookUp === undefined ? {} : { lookUp }),
    ...(checkEveryMs === undefined ? {} : { checkEveryMs }),
  };
  const upstreams = createUpstreams(file, deps);
  const serving = createServing();
  const server = buildHttpServer({
    modules: [bindModule(upstreams.module, deps)],
    serving,
    log,
    metrics: createHttpMetrics(metrics),
    ...(options.edge === undefined ? {} : { edge: options.edge }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    authorize,
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  const port = portOf(server.server);
  const headers = { 'x-api-key': 'reports:read reports:write' };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    headers,
    caller,
    breakers,
    clock,
    metrics,
    server,
    serving,
    /** What access is answered with from now on; nobody is told. */
    answerAccess: (answer: () => Promise<never>) => {
      refuse = answer;
    },
    missChanges: keyChanges.miss,
    changeKey: (keyId: string, answer?: () => Promise<never>) => {
      refuse = answer;
      keyChanges.tell(keyId);
    },
    ask: (path: string, init: RequestInit = {}) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        redirect: 'manual',
        ...init,
        headers: { ...headers, ...(init.headers as Record<string, string>) },
      }),
    close: async () => {
      server.server.closeAllConnections();
      await Promise.all([server.close(), upstreams.stop()]);
      breakers.stop();
    },
  };
};

/** Sends bytes as they are and reads until the connection ends, however it ends. */
export const sendRaw = (port: number, text: string): Promise<string> =>
  new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });

/** Status, code and `Retry-After` of a problem. */
export const problemOf = async (answer: Response) => {
  const body = (await answer.json()) as { code: string };
  return [answer.status, body.code, answer.headers.get('retry-after')];
};

/** Opens hubs and services for the tests of one file. */
export const createStage = () => {
  const closing: (() => unknown)[] = [];
  const hubTo = async (...given: Parameters<typeof startHubWith>) => {
    const hub = await startHubWith(...given);
    closing.push(hub.close);
    return hub;
  };
  const service = async (listener: RequestListener) => {
    const started = await startService(listener);
    closing.push(started.close);
    return started;
  };
  return {
    hubTo,
    service,
    /** @param path of the target, after its origin */
    behindHub: async (
      listener: RequestListener,
      settings: Record<string, unknown> = {},
      options: Options & { path?: string } = {},
    ) => {
      const started = await service(listener);
      return { ...(await hubTo(`${started.url}${options.path ?? ''}`, settings, options)), service: started };
    },
    onEnd: (close: () => unknown) => void closing.push(close),
    strike: async () => {
      for (const close of closing.splice(0).toReversed()) await close();
    },
  };
};
