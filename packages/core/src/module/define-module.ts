import type { Job } from './define-job.ts';
import type { Route } from './define-route.ts';

/** One readiness check: resolves when the part works, rejects with a plain message when not. */
export type ReadinessCheck<D> = {
  name: string;
  /** A failing critical check makes `/ready` answer 503; any other only marks the hub as degraded. */
  critical: boolean;
  run(deps: D): Promise<void>;
};

/** Work repeated on a timer by exactly one process of the whole installation (the elected leader). */
export type Schedule<D> = {
  name: string;
  everySeconds: number;
  run(deps: D, signal: AbortSignal): Promise<void>;
};

/** Work that every worker process does from its start to its end, such as a queue whose work has to be claimed together. */
export type Service<D> = {
  name: string;
  /** Resolves when it runs. What it returns ends it, after what is under way. */
  start(deps: D): Promise<{ stop(): Promise<void> }>;
};

/** A domain as data: everything it offers to the process that composes it. */
export type Module<D = never> = {
  name: string;
  /** One sentence on its routes, for the API docs. */
  description?: string;
  routes: readonly Route<D>[];
  jobs: readonly Job<never, D>[];
  /** Scopes this domain introduces, each with one sentence for the person who grants it. */
  scopes: Readonly<Record<string, string>>;
  schedules: readonly Schedule<D>[];
  services: readonly Service<D>[];
  checks: readonly ReadinessCheck<D>[];
};

type ModuleSpec<D> = { name: string } & Partial<Omit<Module<D>, 'name'>>;

/** Declares a domain. Lists left out are empty. */
export const defineModule = <D>(spec: ModuleSpec<D>): Module<D> => ({
  routes: [],
  jobs: [],
  scopes: {},
  schedules: [],
  services: [],
  checks: [],
  ...spec,
});

/** A module together with its dependencies; what the server and the worker run. */
export type BoundModule = { module: Module<unknown>; deps: unknown };

/** Joins a module with its dependencies, checked by type here so that nobody downstream has to. */
export const bindModule = <D>(module: Module<D>, deps: D): BoundModule => ({
  module,
  deps,
});
