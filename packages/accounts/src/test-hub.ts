import {
  bindModule,
  buildHttpServer,
  coreProblems,
  createHttpMetrics,
  createLogger,
  createMetrics,
  newId,
} from '@impact-hub/core';
import { controlledClock, createTestDatabase } from '@impact-hub/testkit';
import { createAccounts } from './create-accounts.ts';
import { createCompany } from './create-company.ts';
import { accountsModule } from './index.ts';
import { createPerson } from './people/create-person.ts';
import { refuseUnlessFor } from './refuse-unless-for.ts';
import type { Role } from './roles.ts';
import type { OidcSettings } from './sign-in/create-better-auth.ts';

/** Arrangement shared by this package's tests: its routes on a real server, database and better-auth. */
const testCatalogue = {
  admin: 'Administer.',
  'people:manage': 'Manage people.',
  'deliveries:read': 'See deliveries.',
  'deliveries:replay': 'Replay deliveries.',
  'data:read': 'Read.',
  'audit:read': 'Read the audit log.',
};
export const password = 'correct horse battery';
const publicUrl = 'http://127.0.0.1:3000';
const by = { actor: { kind: 'system', id: 'test' } } as const;

const startedAt = (): Date => new Date(Math.floor(Date.now() / 1_000) * 1_000);

export const startTestHub = async (options: { oidc?: OidcSettings } = {}) => {
  const clock = controlledClock(startedAt());
  const database = await createTestDatabase();
  const { db, systemUrl } = database;
  const accounts = createAccounts({
    db,
    systemUrl,
    secret: 'a secret of more than thirty-two characters',
    publicUrl,
    clock,
    scopeCatalogue: testCatalogue,
    ...options,
  });
  const server = buildHttpServer({
    modules: [bindModule(accountsModule, { db, clock, accounts, scopeCatalogue: testCatalogue })],
    authorize: async (request, access, callers) => {
      const principal = await accounts.authenticate(request.headers, { companyRequired: access !== 'signedIn' });
      if (principal === null) throw coreProblems.unauthenticated();
      if (typeof access !== 'string' && !access.scopes.every((scope) => principal.scopes.has(scope)))
        throw coreProblems.forbidden();
      refuseUnlessFor(principal, callers?.onlyFor);
      return principal;
    },
    log: createLogger({ level: 'silent' }),
    metrics: createHttpMetrics(createMetrics()),
  });
  await server.ready();

  const company = () => db.system((tx) => createCompany(tx, { clock }, by, { name: `Company ${newId()}` }));
  const person = (companyId: string, role: Role, email = `${newId()}@example.org`) =>
    db.system((tx) => createPerson(tx, { clock }, by, { companyId, email, name: 'A person', role, password }));

  type Call = { cookie?: string; companyId?: string; body?: object; ip?: string };
  const call = async (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, options: Call = {}) => {
    const response = await server.inject({
      method,
      url,
      remoteAddress: options.ip ?? '192.0.2.1',
      headers: {
        'user-agent': 'test browser',
        ...(options.cookie === undefined ? {} : { cookie: options.cookie }),
        ...(options.companyId === undefined ? {} : { 'x-company-id': options.companyId }),
      },
      ...(options.body === undefined ? {} : { payload: options.body }),
    });
    const cookies = [response.headers['set-cookie'] ?? []].flat();
    return {
      status: response.statusCode,
      body: response.body === '' ? undefined : response.json(),
      headers: response.headers,
      cookies,
      cookie: cookies.map((line) => line.split(';')[0]).join('; '),
    };
  };
  const signIn = async (email: string, ip?: string) =>
    (await call('POST', '/api/v1/auth/sign-in', { body: { email, password }, ...(ip === undefined ? {} : { ip }) }))
      .cookie;

  return {
    database,
    db,
    clock,
    accounts,
    company,
    person,
    call,
    signIn,
    stop: async () => {
      await server.close();
      await accounts.stop();
      await database.drop();
    },
  };
};
