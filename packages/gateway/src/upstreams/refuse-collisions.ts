import type { UpstreamSettings } from './upstream-settings.ts';
import { UpstreamsFileError } from './upstream-settings.ts';

/** Where the hub has or may yet get addresses of its own that are not in its route table. */
const reserved = ['/.well-known', '/admin', '/api/health', '/api/v1', '/assets', '/docs', '/webhooks'];

const segmentsOf = (path: string): string[] => path.split('/').slice(1);

const meets = (own: string, given: string): boolean => own === given || own.startsWith(':') || own === '*';

/** Whether the upstream would take requests meant for the hub's own path, or the other way round. */
const collides = (prefix: string, ownPath: string): boolean => {
  const given = segmentsOf(prefix);
  const own = segmentsOf(ownPath);
  const shared = Math.min(given.length, own.length);
  if (!own.slice(0, shared).every((segment, index) => meets(segment, given[index]!))) return false;
  return own.length >= given.length || own.at(-1) === '*';
};

/**
 * Holds upstreams and the hub's own routes apart, so that neither hides the other.
 * @throws UpstreamsFileError naming the field
 */
export const refuseCollisions = (upstreams: readonly UpstreamSettings[], ownPaths: readonly string[]): void => {
  for (const [index, { prefix }] of upstreams.entries()) {
    const own =
      reserved.find((path) => prefix === path || prefix.startsWith(`${path}/`)) ??
      [...reserved, ...ownPaths].find((path) => collides(prefix, path));
    if (own !== undefined)
      throw new UpstreamsFileError(`upstreams[${index}].prefix ${prefix} collides with the hub's own ${own}.`);
  }
};
