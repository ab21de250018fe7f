import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { CompanyPrincipal, PersonPrincipal, Principal } from './principal.ts';

/**
 * Who may call a route.
 * - `public`: anyone, no credentials.
 * - `signature`: anyone, but the handler itself verifies a partner's signature over the raw bytes before acting.
 * - `signedIn`: any principal (person or key), no particular scope.
 * - `scopes`: a principal holding every scope listed.
 */
export type Access = 'public' | 'signature' | 'signedIn' | { scopes: readonly [string, ...string[]] };

/** What a key was made for; see `environmentsOf`. */
export type Environment = 'live' | 'test';

/** Routes that no key may call: for every person, or for those with the role `system_admin`. */
export type OnlyFor = 'people' | 'system_admin';

/** Which of the principals that a route's `access` lets in may call it. */
export type Callers = { environments: readonly Environment[]; onlyFor?: OnlyFor };

type PrincipalFor<A extends Access, O> = O extends OnlyFor
  ? PersonPrincipal
  : A extends 'public' | 'signature'
    ? Principal
    : CompanyPrincipal;

export type RequestInfo = {
  id: string;
  /** Address of the caller, resolved through trusted proxies only. */
  ip: string;
  userAgent: string | undefined;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Names and values as they arrived, duplicates included: `[name, value, name, value, …]`. */
  rawHeaders: readonly string[];
  /** Fields a handler adds to the request's one log line. */
  log: Record<string, unknown>;
};

export type RouteInput = { params?: z.ZodType; query?: z.ZodType; body?: z.ZodType };

type Parsed<I extends RouteInput, K extends keyof RouteInput> = I[K] extends z.ZodType ? z.output<I[K]> : undefined;

export type HandlerContext<D, I extends RouteInput, A extends Access, O = undefined> = {
  input: { params: Parsed<I, 'params'>; query: Parsed<I, 'query'>; body: Parsed<I, 'body'> };
  principal: PrincipalFor<A, O>;
  deps: D;
  request: RequestInfo;
};

/** A response with a chosen status or headers; made by `reply`. */
export class Reply {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Record<string, string | string[]>;
  constructor(status: number, body: unknown, headers: Record<string, string | string[]>) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** Answers with a status other than the route's first one, or with extra headers. */
export const reply = (status: number, body?: unknown, headers: Record<string, string | string[]> = {}): Reply =>
  new Reply(status, body, headers);

/** For handlers that read the database and nothing else that changes; they must not look at request headers. */
export type RouteCache = {
  /** How long an answer may be served, in seconds; at most 1,800. */
  ttlSeconds: number;
  /** Who shares an answer: one caller with the same scopes (default), all callers of the company that hold the same scopes, or everybody. */
  sharedBy?: 'caller' | 'company' | 'everybody';
  /**
   * What makes an answer stale: topics of the change feed, `topic` for any change of it or `topic/:param` for those of
   * one key, `:companyId` being the caller's company. The changing transaction calls `publishChange`.
   */
  tags: readonly string[];
};

/** One admitted request whose body has not been touched, and the answer to it, all the stream's own. */
export type StreamCall = {
  request: FastifyRequest;
  response: FastifyReply;
  principal: Principal;
  /** The client asks for a WebSocket, and its connection is free to become one. */
  isUpgrade: boolean;
};

export type Route<D = never> = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Fastify path, e.g. `/api/v1/impact-in/deliveries/:id`. */
  path: string;
  /** Camel case and unique, as generated clients want it. */
  operationId: string;
  /** One line for the API docs. */
  summary: string;
  description?: string;
  access: Access;
  /** Whose keys may call the route; left out, `environmentsOf` decides. */
  environments?: readonly Environment[];
  /** People only, of every role or of one; left out, keys too. */
  onlyFor?: OnlyFor;
  input: RouteInput;
  /** Response schema per success status; the lowest status is the default. Fields not listed are never sent. */
  output: Record<number, z.ZodType>;
  /** The handler gets `input.body` as the exact bytes received (`Buffer`), whatever the content type. */
  rawBody?: boolean;
  /** Largest accepted body in bytes; default 1 MiB. */
  bodyLimitBytes?: number;
  /** Headers that the handler reads itself, for the API docs. */
  takes?: readonly { name: string; description: string }[];
  /** What the handler refuses, by status and beside what every route of its kind refuses, for the API docs. */
  refuses?: Readonly<Record<number, string>>;
  /** Response media type when it is not JSON (the handler then returns a string). */
  contentType?: string;
  /**
   * In whose transaction a change sent with an `Idempotency-Key` runs, together with its stored answer: that of the
   * caller's company (default), or the system's for a handler that works in `db.system`. `none`: the header is none of
   * the hub's and is left to whoever it is for. `refused`: the change reaches beyond the transaction, so the header is
   * answered with 400 rather than promised and not kept. See `idempotencyOf`.
   */
  idempotency?: 'company' | 'system' | 'none' | 'refused';
  /** Lets answers of a GET be kept and served again; left out, every request runs the handler. */
  cache?: RouteCache;
  /**
   * Takes the exchange over after access and limits, in place of `handler`: for answers that pass through from
   * elsewhere. The path ends in `/*`, which may be nothing; a GET takes HEAD and OPTIONS too.
   */
  stream?(call: StreamCall): void;
  /** The stream of this GET takes WebSockets. */
  upgrades?: boolean;
  handler(context: {
    input: { params: never; query: never; body: never };
    principal: never;
    deps: D;
    request: RequestInfo;
  }): unknown;
};

type RouteSpec<D, I extends RouteInput, A extends Access, O extends OnlyFor | undefined> = Omit<
  Route<D>,
  'input' | 'access' | 'onlyFor' | 'handler'
> & {
  input?: I;
  access: A;
  onlyFor?: O & OnlyFor;
  handler(context: HandlerContext<D, I, A, O>): Promise<unknown> | unknown;
};

/**
 * Makes the `defineRoute` of one domain: `const defineRoute = routeDefiner<ImpactInDeps>()`. A route is data; the
 * server validates its input, enforces its access, serialises its output and documents it from that one value.
 */
export const routeDefiner =
  <D>() =>
  <const I extends RouteInput, const A extends Access, const O extends OnlyFor | undefined = undefined>(
    spec: RouteSpec<D, I, A, O>,
  ): Route<D> => ({ input: {}, ...spec });

const both: readonly Environment[] = ['live', 'test'];
const liveOnly: readonly Environment[] = ['live'];

/** The environments whose keys may call a route: everybody may read, a change is for live keys unless it says else. */
export const environmentsOf = (route: Pick<Route, 'method' | 'environments'>): readonly Environment[] =>
  route.environments ?? (route.method === 'GET' ? both : liveOnly);

/** What the access policy has to know of a route besides its `access`. */
export const callersOf = (route: Pick<Route, 'method' | 'environments' | 'onlyFor'>): Callers => ({
  environments: environmentsOf(route),
  ...(route.onlyFor === undefined ? {} : { onlyFor: route.onlyFor }),
});

/** In whose transaction an idempotent change runs; `none` for reads and for callers that belong to no company. */
export const idempotencyOf = (
  route: Pick<Route, 'method' | 'access' | 'idempotency'>,
): NonNullable<Route['idempotency']> => {
  if (route.method === 'GET' || route.access === 'public' || route.access === 'signature') return 'none';
  return route.idempotency ?? 'company';
};
