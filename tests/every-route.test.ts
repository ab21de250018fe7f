import { newId, type Route } from '@impact-hub/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addImpactInThings } from './support/impact-in-samples.ts';
import { createTestHub, type TestHub } from './support/test-hub.ts';

type AnyRoute = Route<unknown>;
type Problem = { status: number; code: string; requestId: string; errors?: { pointer: string }[] };

/** Things of company A, by `<path>` with the parameter's name: what company B must not be able to tell from nothing. */
let thingsOfA: Record<string, string>;
let [keyOfA, keyOfB] = ['', ''];
/** For the routes that no key may call: the system's administrator in company A, and company B's. */
let headersOfA: Record<string, string>;
let headersOfB: Record<string, string>;
let keyWithoutScopes: string;

/** The route table is only known once the hub is composed, so the tests are made from it at collection time. */
const hub = await createTestHub();
const routes = hub.routes;
const nameOf = (route: AnyRoute): string => `${route.method} ${route.path}`;
const isGuarded = (route: AnyRoute): boolean => route.access !== 'public' && route.access !== 'signature';
const needsScopes = (route: AnyRoute): boolean => typeof route.access === 'object';
const parameterOf = (route: AnyRoute): string[] => [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name ?? '');

/** Ids of the right form that exist nowhere, by parameter name. */
const absent: Record<string, string> = { keyId: 'AbsentKey000', partner: 'benevity' };
const fill = (path: string, values: Record<string, string>): string =>
  path.replaceAll(/:(\w+)/g, (_, name: string) => values[name] ?? absent[name] ?? newId());

const json = { 'content-type': 'application/json' };
const headersOf = async (companyId: string, role: 'system_admin' | 'company_admin') => {
  const { cookie } = await hub.signIn((await hub.person(companyId, role)).email);
  return { cookie, origin: 'http://hub.test' };
};
const keyOr = (route: AnyRoute, key: string, headers: Record<string, string>): Record<string, string> =>
  route.onlyFor === undefined ? { 'x-api-key': key } : headers;
const asA = (route: AnyRoute) => keyOr(route, keyOfA, headersOfA);
const asB = (route: AnyRoute) => keyOr(route, keyOfB, headersOfB);
const withBody = (route: AnyRoute): boolean => route.input.body !== undefined;

const expectProblem = (response: Awaited<ReturnType<TestHub['call']>>, status: number): Problem => {
  expect(response.headers['content-type'], response.body).toContain('application/problem+json');
  const problem = response.json<Problem>();
  expect({ status: response.statusCode, inBody: problem.status }).toEqual({ status, inBody: status });
  expect(problem.code).toMatch(/^[a-z_]+\.[a-z_]+$/);
  expect(problem.requestId).toBe(response.headers['x-request-id']);
  return problem;
};

beforeAll(async () => {
  const [a, b] = [await hub.company(), await hub.company()];
  const firstOfA = await hub.key(a);
  keyOfA = firstOfA.key;
  keyOfB = (await hub.key(b)).key;
  keyWithoutScopes = (await hub.key(a, ['data:write'])).key;
  headersOfA = await headersOf(a, 'system_admin');
  headersOfB = await headersOf(b, 'company_admin');
  const person = await hub.person(a);
  const { sessionId } = await hub.signIn(person.email);
  thingsOfA = {
    '/admin/api-keys/:keyId': firstOfA.keyId,
    '/api/v1/auth/sessions/:sessionId': sessionId,
    '/api/v1/people/:personId': person.id,
    '/api/v1/companies/:companyId': a,
    '/api/v1/people/invitations/:invitationId': (
      await hub.call('POST', '/api/v1/people', {
        key: keyOfA,
        headers: json,
        body: JSON.stringify({ email: 'invited@example.org', name: 'Invited', role: 'viewer' }),
      })
    ).json<{ invitationId: string }>().invitationId,
    ...(await addImpactInThings(hub, a, keyOfA)),
  };
});
afterAll(() => hub.close());

describe('the route table', () => {
  test('holds every route once, and every operation id once', () => {
    expect(routes.length).toBeGreaterThan(25);
    expect(new Set(routes.map(nameOf)).size).toBe(routes.length);
    expect(new Set(routes.map((route) => route.operationId)).size).toBe(routes.length);
  });

  test('names operations in camel case, as generated clients want them', () => {
    expect(routes.map((route) => route.operationId).filter((id) => !/^[a-z][A-Za-z0-9]+$/.test(id))).toEqual([]);
  });

  test('asks only for scopes that a module declares', () => {
    const asked = routes.flatMap((route) => (typeof route.access === 'object' ? route.access.scopes : []));
    expect(asked.filter((scope) => !(scope in hub.hub.scopeCatalogue))).toEqual([]);
  });

  test('is what /openapi.json describes, with security on every operation', async () => {
    const document = (await hub.call('GET', '/openapi.json')).json<{
      paths: Record<string, Record<string, { security?: unknown[]; operationId: string }>>;
    }>();
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => {
        expect(operation.security, `${method} ${path}`).toBeDefined();
        return `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`;
      }),
    );
    expect(described.sort()).toEqual(routes.map(nameOf).sort());
  });

  test('is described with every answer that follows from its data', async () => {
    const { paths, tags } = (await hub.call('GET', '/openapi.json')).json<{
      tags: { description?: string }[];
      paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
    }>();
    expect(tags.filter(({ description }) => description === undefined)).toEqual([]);
    for (const route of routes) {
      const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
      const described = Object.keys(paths[path]?.[route.method.toLowerCase()]?.responses ?? {});
      const expected = [
        ...(isGuarded(route) ? ['401', '403', '429'] : []),
        // A receiver answers an unknown address like a wrong signature.
        ...(route.input.params === undefined || route.access === 'signature' ? [] : ['404']),
        ...(route.cache === undefined ? [] : ['304']),
      ];
      expect(described, nameOf(route)).toEqual(expect.arrayContaining(expected));
    }
  });
});

describe.each(routes.filter(isGuarded).map((route) => [nameOf(route), route] as const))('%s', (_name, route) => {
  const sendAs = (caller: Record<string, string>, values: Record<string, string> = {}) =>
    hub.call(route.method, fill(route.path, values), {
      headers: { ...caller, ...(withBody(route) ? json : {}) },
      ...(withBody(route) ? { body: '{}' } : {}),
    });
  const send = (key: string | undefined) => sendAs(key === undefined ? {} : { 'x-api-key': key });

  test('refuses a caller without credentials with 401', async () => {
    const response = await send(undefined);
    expect(expectProblem(response, 401).code).toBe('auth.unauthenticated');
    expect(response.headers['www-authenticate']).toContain('Bearer');
  });

  test.each([
    ['a made-up key', `teei_live_${'x'.repeat(61)}`],
    ['a key of another shape', 'secret'],
    ['an empty key', ''],
    ['a very long key', 'x'.repeat(8_000)],
  ])('refuses %s with the same 401', async (_what, key) => {
    expect(expectProblem(await send(key), 401).code).toBe('auth.unauthenticated');
  });

  test.runIf(needsScopes(route))('refuses a key of too small scope with 403 and names the scopes', async () => {
    const problem = expectProblem(await send(keyWithoutScopes), 403) as Problem & { detail: string };
    expect(problem.code).toBe('auth.forbidden');
    for (const scope of typeof route.access === 'object' ? route.access.scopes : [])
      expect(problem.detail).toContain(scope);
  });

  test.runIf(route.onlyFor !== undefined)(
    'refuses a key of all scopes with 403, and is not offered to keys',
    async () => {
      expect(expectProblem(await send(keyOfA), 403).code).toBe(`accounts.${route.onlyFor ?? ''}_only`);
      const document = (await hub.call('GET', '/openapi.json')).json<{
        paths: Record<string, Record<string, { security: object[] }>>;
      }>();
      const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
      const offered = document.paths[path]?.[route.method.toLowerCase()]?.security.flatMap((way) => Object.keys(way));
      expect(offered).toEqual(['session']);
    },
  );

  test.runIf(parameterOf(route).length > 0)(
    "answers another company's caller as if the thing did not exist",
    async () => {
      const entry = Object.entries(thingsOfA).find(
        ([path]) => route.path === path || route.path.startsWith(`${path}/`),
      );
      expect(entry, `thingsOfA needs an entry for ${route.path}`).toBeDefined();
      const [path = '', id = ''] = entry ?? [];
      const parameter = /:(\w+)/.exec(path)?.[1] ?? '';
      const body = sampleBody(route);
      const ask = (value: string) =>
        hub.call(route.method, fill(route.path, { [parameter]: value }), {
          headers: { ...asB(route), ...(body === undefined ? {} : json) },
          ...(body === undefined ? {} : { body }),
        });
      const forbidden = await ask(id);
      const missing = await ask(absent[parameter] ?? newId());
      const comparable = (response: typeof forbidden) => {
        const { requestId: _id, instance: _path, ...rest } = response.json<Problem & { instance: string }>();
        return { ...rest, status: response.statusCode };
      };
      expect(comparable(forbidden)).toEqual(comparable(missing));
      expect(forbidden.statusCode).toBe(route.onlyFor === 'system_admin' ? 403 : 404);
    },
  );

  test.runIf(parameterOf(route).length > 0)('refuses a malformed id with 400 and names it', async () => {
    const [parameter = ''] = parameterOf(route);
    const problem = expectProblem(await sendAs(asA(route), { [parameter]: 'not!valid' }), 400);
    expect(problem.errors?.map((error) => error.pointer)).toContain(`/params/${parameter}`);
  });

  test.runIf(route.input.query !== undefined)('refuses an unknown query field with 400 and names it', async () => {
    const response = await hub.call(route.method, `${fill(route.path, {})}?nonsense=1`, { headers: asA(route) });
    expect(expectProblem(response, 400).errors?.map((error) => error.pointer)).toContain('/query/nonsense');
  });
});

/** A body that passes validation, for routes that change something under an id. */
const sampleBodies: Record<string, object> = {
  'PATCH /admin/api-keys/:keyId': { name: 'Renamed' },
  'PATCH /api/v1/people/:personId': { role: 'viewer' },
  'PUT /api/v1/companies/:companyId/rate-limit': { requestsPerMinute: 1_000_000 },
  'PATCH /api/v1/impact-in/connections/:id': { state: 'paused' },
  'PATCH /api/v1/impact-in/endpoints/:id': { name: 'Renamed' },
};
function sampleBody(route: AnyRoute): string | undefined {
  return withBody(route) ? JSON.stringify(sampleBodies[nameOf(route)] ?? {}) : undefined;
}

describe.each(routes.filter(withBody).map((route) => [nameOf(route), route] as const))('%s', (_name, route) => {
  test.each([
    ['an array', '[]'],
    ['a text', '"x"'],
    ['null', 'null'],
    ['a number', '1'],
    ['broken JSON', '{"a":'],
    ['nothing', ''],
    ['a prototype', '{"__proto__":{"admin":true}}'],
    ['unknown fields', '{"nonsense":1}'],
    ['deep nesting', `${'['.repeat(5_000)}${']'.repeat(5_000)}`],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
  ])('refuses %s as body with 400', async (_what, body) => {
    const response = await hub.call(route.method, fill(route.path, {}), {
      headers: { ...asA(route), ...json },
      body,
    });
    expectProblem(response, 400);
  });
});

describe('effective access of a key of all scopes', () => {
  test.each(['live', 'test'] as const)('lists no route that is kept from keys (%s)', async (environment) => {
    const { key, keyId } = await hub.key(await hub.company(), undefined, environment);
    const path = `/admin/api-keys/${keyId}/effective-access`;
    const { endpoints } = (await hub.call('GET', path, { key })).json<{
      endpoints: { method: AnyRoute['method']; path: string; operationId: string }[];
    }>();
    expect(endpoints.length).toBeGreaterThan(15);
    for (const { method, path: listed } of endpoints) {
      const response = await hub.call(method, fill(listed, {}), { key });
      const code = response.statusCode === 403 ? response.json<Problem>().code : '';
      expect(code, `${method} ${listed}`).not.toMatch(/^accounts\.\w+_only$|^auth\./);
    }
  });
});

describe('no input whatever makes the hub fail', () => {
  test.each(routes.map((route) => [nameOf(route), route] as const))('%s', async (_name, route) => {
    const word = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', '0', '-1', 'null', '../..', "' or 1=1 --", '\u0000'),
    );
    const hasBody = withBody(route) || route.rawBody === true;
    // Some of these end the session, so each route gets its own.
    const caller = route.onlyFor === undefined ? asB(route) : await headersOf(await hub.company(), 'system_admin');
    await fc.assert(
      fc.asyncProperty(
        word,
        fc.dictionary(fc.constantFrom('limit', 'cursor', 'from', 'to', 'status', 'partner'), word),
        fc.jsonValue(),
        async (id, query, body) => {
          const path = route.path.replaceAll(/:(\w+)/g, () => encodeURIComponent(id.isWellFormed() ? id : '?'));
          const search = Object.entries(query)
            .filter(([, value]) => value.isWellFormed())
            .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
            .join('&');
          const response = await hub.call(route.method, `${path}?${search}`, {
            headers: { ...(isGuarded(route) ? caller : {}), ...(hasBody ? json : {}) },
            ...(hasBody ? { body: JSON.stringify(body) } : {}),
          });
          // 503 is /ready's honest word about a part that is down.
          expect(route.path === '/ready' ? 0 : response.statusCode, response.body).toBeLessThan(500);
          expect(response.body).not.toMatch(/\n\s+at |node_modules|postgres:\/\//);
        },
      ),
      { numRuns: 25 },
    );
  });
});
